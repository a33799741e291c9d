"""A pytest plug-in for runs of hours: with ``--resume FILE`` what has passed is noted there and not run again.

A run that was killed goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

_PASSED = pytest.StashKey[frozenset[str]]()
_KEY = "passed_before"  # what the processes of pytest-xdist are handed, as all of them must collect the same


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--resume", type=Path, metavar="FILE", help="leave out tests that passed before, as FILE says")


def _file(config: pytest.Config) -> Path | None:
    return cast("Path | None", config.getoption("--resume"))


def _handed(config: pytest.Config) -> dict[str, Any] | None:
    """Return what a process of pytest-xdist was handed; None in the process that people start."""
    return cast("dict[str, Any] | None", getattr(config, "workerinput", None))


def pytest_configure(config: pytest.Config) -> None:
    handed, path = _handed(config), _file(config)
    names = handed[_KEY] if handed else path.read_text().splitlines() if path and path.exists() else ()
    config.stash[_PASSED] = frozenset(names)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[_KEY] = sorted(node.config.stash[_PASSED])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    passed = config.stash[_PASSED]
    left = [item for item in items if item.nodeid not in passed]
    if passed:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = left


class Notes:
    """Writes down what passes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            with self._path.open("a") as file:
                file.write(f"{report.nodeid}\n")


def pytest_sessionstart(session: pytest.Session) -> None:
    path = _file(session.config)
    if path is not None and _handed(session.config) is None:
        session.config.pluginmanager.register(Notes(path))
