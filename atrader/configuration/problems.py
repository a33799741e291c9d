"""Turns what pydantic finds wrong into lines for the person who has to mend the file."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_LONGEST_VALUE = 60


def problems_of(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, object], *, table: str | None = None
) -> list[str]:
    """List the problems of one file, one text ``dotted.key: what is wrong`` each.

    Parameters
    ----------
    error : ValidationError
        What the model raised.
    model : type of BaseModel
        The model of the whole file.
    data : Mapping
        What was read from the file.
    table : str, optional
        Where in the file that is, if it is not the whole of it.
    """
    found: dict[str, list[str]] = {}
    items = error.errors(include_url=False, include_context=False)
    for item in items:
        if item["type"] == "too_short" and any(_is_inside(other["loc"], item["loc"]) for other in items):
            continue  # only what is wrong in it makes it too short
        location = _in_data(item["loc"], data, str(item["type"]))
        text = _text(str(item["type"]), str(item["msg"]), item["input"], location, model)
        texts = found.setdefault(dotted(location if table is None else [table, *location]), [])
        if text not in texts:
            texts.append(text)
    return [f"{key}: {' or '.join(texts)}" if key else " or ".join(texts) for key, texts in found.items()]


def _is_inside(location: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `` - did you mean 'x'?`` for the known name most like a wrong one, or nothing."""
    names = sorted(known)
    begun = [name for name in names if wrong and name.startswith(f"{wrong}_")]
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6) or begun
    return f" - did you mean {near[0]!r}?" if near else ""


def dotted(location: Sequence[str | int]) -> str:
    """Write a location as TOML would: dots, quotes round names that need them, brackets round numbers."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if part.replace("_", "").replace("-", "").isalnum() and part.isascii() else repr(part)
        text += f".{name}" if text else name
    return text


def _in_data(location: Sequence[str | int], data: object, kind: str) -> list[str | int]:
    """Drop what pydantic puts into a location that is no key: names of union members and of validators."""
    kept: list[str | int] = []
    for number, part in enumerate(location):
        last = number == len(location) - 1
        if isinstance(data, Mapping) and (part in data or (last and kind == "missing")):
            data = data.get(part)
        elif isinstance(data, Sequence) and not isinstance(data, str) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        kept.append(part)
    return kept


SECRET: Final = "secret"
"""Kind of the errors whose value is never shown: it may be a secret in the wrong place."""


def _text(kind: str, message: str, value: object, location: Sequence[str | int], model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        keys = _keys_beside(location, model)
        wrong = str(location[-1]) if location else ""
        hint = did_you_mean(wrong, keys)
        if not hint and keys:
            hint = f" - known here: {', '.join(sorted(keys))}"
        return f"unknown key{hint}"  # its value may be a secret in the wrong place: never shown
    if kind == SECRET:
        return message
    if kind == "missing":
        return "is required and missing"
    if kind == "tuple_type":
        message = "Input should be a list, such as ['a', 'b']"  # files know no tuples
    message = message.removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if location:
        message = message.removeprefix(f"{location[-1]}: ")  # the key stands before it already
    if isinstance(value, (Mapping, BaseModel)):
        return message
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    shown = shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}..."
    return message if shown in message else f"{message}, was {shown}"


def _keys_beside(location: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """Return the keys that the model knows in the table a location lies in."""
    annotation: Any = model
    for part in location[:-1]:
        annotation = _step_into(annotation, part)
    annotation = _bare(annotation)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _step_into(annotation: Any, part: str | int) -> Any:
    annotation = _bare(annotation)
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        return None if field is None else field.annotation
    arguments = get_args(annotation)
    return arguments[-1 if get_origin(annotation) is dict else 0] if arguments else None


def _bare(annotation: Any) -> Any:
    """Unpack ``Annotated[X, ...]`` and ``X | None``."""
    while get_origin(annotation) in (Union, types.UnionType, Annotated):
        annotation = next(argument for argument in get_args(annotation) if argument is not type(None))
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
