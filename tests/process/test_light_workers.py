"""A worker loads what its own strategy needs, and no library of another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.fleet import Fleet, wait_for

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


TELLING = """
import os, sys
from pathlib import Path

from worker.strategies.{module} import {base}


class Telling({base}):
    def on_bar(self, bar):
        super().on_bar(bar)
        self.tell()

    def signals(self, bars, instrument):
        found = super().signals(bars, instrument)
        self.tell()
        return found

    def tell(self):
        path = Path("{told}")
        path.with_suffix(".new").write_text(" ".join([str(os.getpid()), *sorted(sys.modules)]))
        path.with_suffix(".new").rename(path)
"""


def test_workers_that_trade_have_imported_none_of_them(fleet: Fleet, tmp_path: Path) -> None:
    fleet.write_fleet(instruments=("EUR/USD", "GBP/USD"))
    fleet.write_account()
    kinds = (("sma_cross", "SmaCross", "fast = 2\nslow = 4\natr_period = 2"), ("bracket", "Bracket", "atr_period = 2"))
    for number, (module, base, parameters) in enumerate(kinds, start=7):
        name = base.lower()
        text = TELLING.format(module=module, base=base, told=tmp_path / name)
        (fleet.home.root / "strategies" / f"{name}.py").write_text(text)
        more = f"[parameters]\n{parameters}\n"
        fleet.write_instance(name, number, strategy=f"strategies/{name}.py:Telling", text=more + fleet.unlimited())
    fleet.start()
    for name in ("smacross", "bracket"):
        told = tmp_path / name
        wait_for(told.exists, "a bar was decided")
        pid, *modules = told.read_text().split()
        assert int(pid) != os.getpid()
        assert "worker.process" in modules
        assert [one for one in HEAVY if one in modules] == []
