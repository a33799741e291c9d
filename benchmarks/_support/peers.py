"""Peers in an environment of their own, thrown away afterwards: what they need never becomes a dependency of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_INSTALL_S: Final = 300.0
_SCRIPT_S: Final = 300.0


class NoPeers(Exception):
    """Raised when peers cannot be had or do not run: no package index, or a slow one."""


class Peers:
    """A virtual environment with some packages.

    Parameters
    ----------
    directory : Path
        Where it is made; removed with the directory of the benchmark.
    packages : str
        What is installed into it: by uv where there is one, as pip takes several times as long.

    Raises
    ------
    NoPeers
        When that does not work, or not in five minutes.
    """

    def __init__(self, directory: Path, *packages: str) -> None:
        home = directory / "peers"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        self._python = home / "bin" / "python"
        try:
            subprocess.run([*_installer(self._python), *packages], check=True, timeout=_INSTALL_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise NoPeers(f"{', '.join(packages)} cannot be installed: {error}") from error

    def run(self, script: str, *arguments: object, longest_s: float = _SCRIPT_S) -> Any:
        """Run a script that prints JSON; return it.

        Raises
        ------
        NoPeers
            When it fails, or takes longer.
        """
        try:
            return run_script(self._python, script, *arguments, longest_s=longest_s)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise NoPeers(f"a peer does not run here: {error}") from error


def _installer(python: Path) -> list[str]:
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uv" / "bin"))
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    return [*pip, "--disable-pip-version-check", "--timeout", "15", "--retries", "2"]


def run_script(
    python: Path | str, script: str, *arguments: object, longest_s: float = _SCRIPT_S, **options: Any
) -> Any:
    """Run a script whose last line is JSON with some interpreter; return that (DuckDB may show a progress bar)."""
    command = [str(python), "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=longest_s, **options)
    return json.loads(done.stdout.splitlines()[-1])
