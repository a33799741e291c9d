"""Where there is no compiler nothing but the compiled parts is missing; test_wheel builds them with one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_compiler_the_build_goes_on_without_the_compiled_execution(tmp_path: Path) -> None:
    for source in (ROOT / "setup.py", ROOT / "atrader" / "compiled_parts.py", *ROOT.glob("*/*/_*.[ch]")):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    command = [sys.executable, "-P", "setup.py", "build_ext", "--build-lib", "built"]
    environment = {**os.environ, "CC": str(tmp_path / "no-compiler")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "built").rglob("*.so"))


WITHOUT = """
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder

compiled, users = sys.argv[1].split(","), sys.argv[2].split(",")


class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in compiled:
            raise ImportError(name)


sys.meta_path.insert(0, Missing())
for name in users:
    import_module(name)
assert not set(compiled) & set(sys.modules)
"""


def test_all_that_uses_compiled_parts_can_be_loaded_without_them() -> None:
    compiled = {path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("*/*/_*.c")}
    users = {".".join(path.parent.parts) for path in compiled} | {
        "manager.backtests.running",
        "manager.searches.running",
    }
    names = sorted(".".join(path.parts) for path in compiled)
    command = [sys.executable, "-P", "-c", WITHOUT, ",".join(names), ",".join(sorted(users))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
