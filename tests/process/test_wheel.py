"""What a user gets: the wheel, installed with its dependencies into an empty environment, runs the demonstration."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fleet import START_S, Fleet, wait_for
from tests.support.typed import type_command

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = re.compile(
    r"connection broken by|Failed to establish a new connection|Temporary failure in name resolution|"
    r"dns error|error sending request|Could not connect"
)


def run(*command: object, cwd: Path, timeout_s: float = 240.0, **environment: str) -> str:
    """Run a command and return all it printed; a failure fails the test with it."""
    inherited = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0 and OFFLINE.search(done.stdout):
        pytest.skip("the package index cannot be reached, so the wheel's dependencies cannot be installed")
    assert done.returncode == 0, done.stdout
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources: setuptools leaves its work in the folder it builds.

    A warning of the compiler is an error, and what does not compile is not in the wheel.
    """
    sources = folder / "sources"
    sources.mkdir()
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, sources)
    for package in ROOT.glob("*/__init__.py"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(package.parent, sources / package.parent.name, ignore=ignored)
    options = ("--wheel", "--no-isolation", "--outdir", folder)
    said = run(sys.executable, "-P", "-m", "build", *options, sources, cwd=folder, CC="cc -Wall -Wextra -Werror")
    [wheel] = folder.glob("atrader_platform-*.whl")
    built = {Path(name).name.partition(".")[0] for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")}
    assert built == {path.stem for path in ROOT.glob("*/*/_*.c")}, said
    return wheel


def install_with_pip(wheel: Path, environment: Path) -> Path:
    """Make an empty environment, install the wheel as a user does, and return where its scripts are."""
    run(sys.executable, "-P", "-m", "venv", environment, cwd=wheel.parent)
    python = environment / "bin" / "python"
    options = ("--no-compile", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "15")
    run(python, "-P", "-m", "pip", "install", "--quiet", *options, wheel, cwd=wheel.parent)
    run(python, "-P", "-m", "pip", "check", "--disable-pip-version-check", cwd=wheel.parent)
    return python.parent


def install_with_uv(wheel: Path, environment: Path) -> Path:
    """Do the same with what ``make setup`` downloaded; half a minute less of work."""
    uv = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    run(uv, "venv", "--quiet", "--python", sys.executable, environment, cwd=wheel.parent)
    python = environment / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, wheel, cwd=wheel.parent)
    run(uv, "pip", "check", "--python", python, cwd=wheel.parent)
    return python.parent


@pytest.mark.timeout(400)  # most of it is the package index
@pytest.mark.parametrize(
    "install",
    [pytest.param(install_with_uv, id="uv"), pytest.param(install_with_pip, id="pip", marks=pytest.mark.soak)],
)
def test_the_wheel_in_an_empty_environment_runs_the_demonstration_and_stops_cleanly(
    tmp_path: Path, install: Callable[[Path, Path], Path]
) -> None:
    wheel = build_wheel(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/", "build/"))]
    scripts = install(wheel, tmp_path / "empty")
    place = tmp_path / "user"
    place.mkdir()

    assert type_command("atrader-manager init demo", cwd=place, scripts=scripts).code == 0
    fleet = Fleet(place / "demo")
    with open(place / "out", "wb") as out:
        manager = subprocess.Popen(
            [scripts / "atrader-manager", "-C", "demo", "start"],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={key: value for key, value in os.environ.items() if key not in ("ATRADER_HOME", "PYTHONPATH")},
        )
    try:

        def all_running() -> bool:
            assert manager.poll() is None, (place / "out").read_text()
            rows = (fleet.try_status() or {"processes": []})["processes"]
            return len(rows) >= 5 and {row["state"] for row in rows} == {"RUNNING"}

        wait_for(all_running, "all RUNNING", interval_s=0.2)
        assert "RUNNING" in type_command("atrader-manager -C demo status", cwd=place, scripts=scripts).out
        wait_for(lambda: fleet.history("trades"), "a trade", interval_s=0.5)  # asked from where a command costs little
        manager.send_signal(signal.SIGTERM)
        assert manager.wait(START_S) == 0, (place / "out").read_text()
        wait_for(lambda: not fleet.survivors(), "helpers of the interpreter to end after it")
        assert not [path for path in fleet.home.run.iterdir() if path.is_socket()]
        assert type_command("atrader -C demo history trades --json", cwd=place, scripts=scripts).json
    finally:
        if manager.poll() is None:
            manager.kill()
            manager.wait()
        fleet.end()
