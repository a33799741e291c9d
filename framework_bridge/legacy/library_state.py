"""What the C library remembers of an instance: which bar it ran last, so that it does not run it again."""

from __future__ import annotations

from typing import Final

from atrader.errors import StoreError
from framework_bridge.abi.internals import read_state
from framework_bridge.legacy.strategy_file import NewStrategy

START_WITH_A_BAR: Final = "start just when one of its bars begins"
_RUNS_AGAIN: Final = "its first call runs the bar that forms once more, and may open beside what is open"


def carried_state(made: NewStrategy, old: tuple[str, bytes] | None) -> bytes | str:
    """Return the state under the instance's magic number, or why there is none.

    Parameters
    ----------
    made : NewStrategy
        Whose state it is.
    old : (str, bytes), optional
        File and content of the old one.
    """
    if old is None:
        return f"the library's state was not found: {_RUNS_AGAIN}"
    file, content = old
    try:
        found = read_state(content, file)
    except StoreError as error:
        return f"{error.message}: {_RUNS_AGAIN}"
    if found.instance_id != made.old_id:
        return f"{file} is the state of {found.instance_id}: {_RUNS_AGAIN}"
    return made.magic.to_bytes(4, "little") + content[4:]
