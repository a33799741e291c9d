"""Models of values that are known to be right: built and copied without the checks, at a tenth of the price.

For what is made from other checked values, many times a second: fills, orders and trades. What comes from outside is
always validated.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_new: Final = object.__new__
_set: Final = object.__setattr__  # the models are frozen, and check what is set


def made(kind: type[M], **values: Any) -> M:
    """Build a model; fields that are not given have their defaults. Nothing is checked, not even that all are there."""
    fields = _defaults(kind)
    given = _all_of(kind) if len(values) == len(fields) else set(values)
    return _filled(kind, fields | values, given)


def changed(model: M, **update: Any) -> M:
    """Return a copy with other values in some fields; as `BaseModel.model_copy`, which copies more carefully."""
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


@cache
def _all_of(kind: type[BaseModel]) -> set[str]:
    """Return the names of all fields; one set for all models that were given every field."""
    return set(kind.model_fields)


@cache
def _defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """Return all fields in their order; those without a default are None until they are given."""
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }
