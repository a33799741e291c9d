"""A worker loads what its own strategy needs, and no library of another one."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("sklearn", "scipy", "pandas", "numba", "optuna", "pyarrow", "joblib")

_SCRIPT = f"""
import importlib, sys
from pathlib import Path
from atrader.runtime.spec import ENTRIES
from worker.loading import load_strategy
from worker.strategies import BUILT_IN

for entry in ENTRIES.values():
    importlib.import_module(entry.partition(":")[0])
for name in BUILT_IN:
    load_strategy(name, Path())
print(len(BUILT_IN), *[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_no_process_and_no_strategy_imports_what_only_models_and_research_need() -> None:
    ran = subprocess.run([sys.executable, "-P", "-c", _SCRIPT], capture_output=True, text=True, check=True)
    count, *heavy = ran.stdout.split()
    assert int(count) > 10
    assert heavy == [], "also the strategy of models imports scikit-learn only when it loads one"
