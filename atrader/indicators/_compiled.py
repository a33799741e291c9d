"""The compiled forms, where they were built: the same bits as those in Python, many times as fast."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar

from atrader.compiled_parts import are_current

try:
    from atrader.indicators import _recurrences as recurrences
    from atrader.indicators import _updates as updates

    is_there = are_current(recurrences, updates)
except ImportError:  # built where there is no compiler
    is_there = False

__all__ = ["is_there", "plain_updates", "recurrences", "updated_quickly", "updates"]

K = TypeVar("K")

plain_updates: Final[dict[type, Callable[..., Any]]] = {}
"""The method `update` of each class in Python: what it does is what the compiled one must do."""


def updated_quickly(kind: type[K]) -> type[K]:
    """Give a class of an indicator the compiled form of its `update`, if there is one.

    Its instances stay what they are, slots, pickles and subclasses: compiled code takes a bar that is as nearly all
    are, and calls the method in Python for any other.
    """
    plain: FunctionType = kind.update  # type: ignore[attr-defined]
    plain_updates[kind] = plain
    if is_there:
        names = plain.__code__.co_varnames[1 : plain.__code__.co_argcount]
        quick = updates.method(kind, plain, f"update($self, {', '.join(names)})\n--\n\n{plain.__doc__}")
        kind.update = quick or plain  # type: ignore[attr-defined]
    return kind
