"""Models of values that are known to be right: built and copied without the checks, at a tenth of the price.

For what is made from other checked values, many times a second: fills, orders and trades. What comes from outside is
always validated. Compiled where there was a compiler; either way the same comes out.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from atrader.compiled_parts import are_current

try:
    from atrader.orders import _models as compiled

    is_compiled = are_current(compiled)
except ImportError:  # built where there is no compiler
    is_compiled = False

M = TypeVar("M", bound=BaseModel)

_new: Final = object.__new__
_set: Final = object.__setattr__  # the models are frozen, and check what is set


@cache
def _defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """Return all fields in their order; those without a default are None until they are given."""
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }


def plainly_made(kind: type[M], /, **values: Any) -> M:
    """Build a model in Python; see `made`."""
    return _filled(kind, _defaults(kind) | values, set(values))


def plainly_made_from(kind: type[M], values: dict[str, Any], given: set[str], /) -> M:
    """Build a model in Python; see `made_from`."""
    return _filled(kind, _defaults(kind) | values, given)


def plainly_changed(model: M, /, **update: Any) -> M:
    """Return a changed copy in Python; see `changed`."""
    given = model.__pydantic_fields_set__
    if not given >= update.keys():
        given = given | update.keys()  # a set of its own only where it is another one: nobody changes them
    return _filled(type(model), model.__dict__ | update, given)


def _filled(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    model = _new(kind)
    _set(model, "__dict__", fields)
    _set(model, "__pydantic_fields_set__", given)
    _set(model, "__pydantic_extra__", None)
    _set(model, "__pydantic_private__", None)
    return model


class PlainlyRead(BaseModel):
    """Base of models whose attributes are read as those of any other class.

    A model of pydantic asks its `__getattr__` for private attributes and extra fields, and its type so makes a detour
    for every attribute that is there: 50 ns instead of 5, some hundred times for an order. Kinds that have neither need
    none, and what they lack is told in the same words.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **named: Any) -> None:
        super().__pydantic_init_subclass__(**named)
        if is_compiled and _asks_nobody(cls):
            compiled.read_plainly(cls)


def _asks_nobody(kind: type[BaseModel]) -> bool:
    is_own = kind.__getattr__ is not BaseModel.__getattr__ or kind.__getattribute__ is not object.__getattribute__  # type: ignore[attr-defined]
    return not (is_own or kind.__private_attributes__ or kind.model_config.get("extra") == "allow")


made: Final = compiled.maker(_defaults) if is_compiled else plainly_made
"""Build a model; fields that are not given have their defaults. Nothing is checked, not even that all are there."""

made_from: Final = compiled.maker_from(_defaults) if is_compiled else plainly_made_from
"""The same of values that are in a dictionary, and a set of their names, which nobody may change."""

changed: Final = compiled.changed if is_compiled else plainly_changed
"""Return a copy with other values in some fields; as `BaseModel.model_copy`, which copies more carefully."""
