"""Peers in an environment of their own, thrown away afterwards: what they need never becomes a dependency of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class Peers:
    """A virtual environment with some packages.

    Parameters
    ----------
    directory : Path
        Where it is made; removed with the directory of the benchmark.
    packages : str
        What `pip` installs into it.
    """

    def __init__(self, directory: Path, *packages: str) -> None:
        home = directory / "peers"
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        self._python = home / "bin" / "python"
        install = [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True)

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script that prints JSON; return it."""
        return run_script(self._python, script, *arguments)


def run_script(python: Path | str, script: str, *arguments: object, **options: Any) -> Any:
    """Run a script whose last line is JSON with some interpreter; return that (DuckDB may show a progress bar)."""
    command = [str(python), "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options)
    return json.loads(done.stdout.splitlines()[-1])
