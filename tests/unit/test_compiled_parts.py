"""What was compiled from other sources is not used, and said to be so."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest

from atrader.compiled_parts import are_current
from research.vector import built

needs_compiler = pytest.mark.skipif(not built.is_there, reason="the compiled execution was not built")


def copied(folder: Path) -> ModuleType:
    """Return the compiled execution as if it lay in a folder, with its sources."""
    assert built.kernel.__file__ is not None
    root = Path(built.kernel.__file__).parents[2]
    for name in ("research/vector", "atrader/headers"):
        (folder / name).mkdir(parents=True)
        for path in (root / name).glob("_*.[ch]"):
            shutil.copy(path, folder / name)
    found = ModuleType(built.kernel.__name__, built.kernel.__doc__)
    found.__file__ = str(folder / "research/vector/_kernel.so")
    return found


@needs_compiler
def test_what_was_compiled_here_is_of_the_sources_there(tmp_path: Path) -> None:
    assert are_current(built.kernel, built.columns, copied(tmp_path))


@needs_compiler
@pytest.mark.parametrize("header", ["research/vector/_exits.h", "atrader/headers/_vectorised.h"])
def test_a_changed_header_makes_a_compiled_part_old_and_the_warning_names_the_remedy(
    tmp_path: Path, header: str
) -> None:
    old = copied(tmp_path)
    (tmp_path / header).write_text("/* another way to end trades */\n")
    with pytest.warns(UserWarning, match="_kernel: compiled from other sources .* 'make setup'"):
        assert not are_current(built.columns, old)


@needs_compiler
def test_without_sources_as_in_a_wheel_there_is_nothing_to_compare(tmp_path: Path) -> None:
    alone = copied(tmp_path)
    (tmp_path / "research/vector/_kernel.c").unlink()
    assert are_current(alone)
