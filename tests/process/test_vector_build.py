"""The compiled execution is built where there is a compiler; where there is none, nothing else is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path, compiler: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Build the compiled parts out of a copy; return how that ended and what was built."""
    shutil.copy2(ROOT / "setup.py", folder)
    for source in ROOT.glob("*/*/_*.[ch]"):
        copy = folder / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    command = [sys.executable, "-P", "setup.py", "build_ext", "--build-lib", "built"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "CC": compiler}, capture_output=True, text=True, timeout=60, check=False
    )
    return done, [path.name for path in (folder / "built").rglob("*.so")]


def test_without_a_compiler_the_build_goes_on_without_the_compiled_execution(tmp_path: Path) -> None:
    done, built = build(tmp_path, str(tmp_path / "no-compiler"))
    assert (done.returncode, built) == (0, []), done.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler here")
def test_with_a_compiler_the_execution_is_built_without_a_warning(tmp_path: Path) -> None:
    done, built = build(tmp_path, "cc -Wall -Wextra -Werror")
    assert done.returncode == 0, done.stderr
    assert {name.partition(".")[0] for name in built} == {path.stem for path in ROOT.glob("*/*/_*.c")}, done.stderr
