"""Where there is no compiler nothing but the compiled execution is missing; test_wheel builds it with one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_compiler_the_build_goes_on_without_the_compiled_execution(tmp_path: Path) -> None:
    shutil.copy2(ROOT / "setup.py", tmp_path)
    for source in ROOT.glob("*/*/_*.[ch]"):
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
