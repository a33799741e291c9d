"""Packages that say in which order their modules import each other say it of all of them, and truly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doc_commands import ROOT

SAID = "Layers, each importing only those before it:"


def layered() -> Iterator[Path]:
    """Yield the folders of packages that name layers."""
    for folder in ("atrader", "data_layer", "broker_api", "framework_bridge", "worker", "research", "manager"):
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            if SAID in init.read_text(encoding="utf-8"):
                yield init.parent


PACKAGES = list(layered())


def modules_of(folder: Path) -> set[str]:
    """Return the modules and packages in a folder."""
    return {path.stem for path in folder.glob("*.py")} - {"__init__"} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }


def named_in(folder: Path) -> list[str]:
    """Return the modules that a package names, in its order."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    found = re.findall(r"``(\w+)``", text.partition(SAID)[2])
    return [name for name in dict.fromkeys(found) if name in modules_of(folder)]


def imported_by(module: Path) -> set[str]:
    """Return what a module imports of its own package when it runs, wherever in it: types alone do not count."""
    package = ".".join(module.parent.relative_to(ROOT).parts)
    found: set[str] = set()
    left: list[ast.AST] = [ast.parse(module.read_text(encoding="utf-8"))]
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            left += node.orelse
        elif isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found.add((node.module or "")[len(package) + 1 :].partition(".")[0])
        else:
            left += ast.iter_child_nodes(node)
    return found & modules_of(module.parent)


def test_the_packages_of_research_are_among_them() -> None:
    names = {folder.relative_to(ROOT).as_posix() for folder in PACKAGES}
    assert names >= {f"research/{name}" for name in ("events", "optimisation", "reports", "vector", "vectorised")}


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_package_with_layers_names_all_of_its_modules(folder: Path) -> None:
    assert modules_of(folder) - set(named_in(folder)) == set(), f"name them in {folder.name}/__init__.py"


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_module_imports_those_before_it_only(folder: Path) -> None:
    order = {name: place for place, name in enumerate(named_in(folder))}
    wrong = [
        f"{name} imports {other}, which is named after it"
        for name in order
        if (folder / f"{name}.py").is_file()
        for other in sorted(imported_by(folder / f"{name}.py"))
        if order.get(other, -1) >= order[name]
    ]
    assert wrong == []
