"""The configuration reference as Markdown: every key of every file, from the models and the comments beside them."""

from __future__ import annotations

import inspect
import io
import tokenize
import types
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from atrader.configuration.base import DurationS, FixedTimeframeName, LocalTime, SizeBytes, TimeframeName, ZoneName
from atrader.configuration.secrets import SecretRef

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
_PLAIN = {
    bool: "true or false",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "text",
    object: "any",
    SecretRef: "reference to a secret",
}
_HEADER = "| key | takes | default | meaning |\n|---|---|---|---|\n"
_NOT_WRITTEN = frozenset({"name", "symbol"})
"""Fields that come from the name of the file or table."""


def _validator_of(annotated: Any) -> Any:
    return next(item.func for item in get_args(annotated) if isinstance(item, (AfterValidator, BeforeValidator)))


_WORDS = {
    _validator_of(DurationS): "duration",
    _validator_of(SizeBytes): "size",
    _validator_of(TimeframeName): "timeframe",
    _validator_of(FixedTimeframeName): "timeframe below a day",
    _validator_of(LocalTime): "local time",
    _validator_of(ZoneName): "time zone",
}
"""What our own types are called, by the function that checks them."""


def comments_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the comment behind each field of a model, own and inherited ones."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _comments_in(inspect.getsource(kind))
    return found


def _comments_in(source: str) -> dict[str, str]:
    """Find lines of the form ``name: ... # comment``; a field written over several lines has it on its last one."""
    found: dict[str, str] = {}
    name, fresh, depth = "", True, 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        if fresh and token.type == tokenize.NAME and token.line.lstrip().startswith(f"{token.string}:"):
            name = token.string
        if token.type == tokenize.COMMENT and name:
            found[name] = token.string.lstrip("# ")
        if token.type == tokenize.NEWLINE:
            name = ""
        fresh = token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT) and depth == 0
    return found


def type_text(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Say in words what a key takes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return type_text(arguments[0], (*annotation.__metadata__, *metadata))
    for item in metadata:
        if isinstance(item, (AfterValidator, BeforeValidator)) and item.func in _WORDS:
            return _WORDS[item.func]
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(item, metadata) for item in arguments if item is not type(None))
    if origin is Literal:
        return " ".join(f'`"{item}"`' for item in arguments)
    if origin is tuple:
        return f"list of {type_text(arguments[0])}{_bounds(metadata)}"
    if origin is dict:
        return "table"
    return _PLAIN.get(annotation, annotation.__name__) + _bounds(metadata)


def _bounds(metadata: tuple[Any, ...]) -> str:
    parts = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            parts += [text for text in (_bounds(tuple(item.metadata)).strip(),) if text]
        for kind, sign in ((Gt, ">"), (Ge, ">="), (Lt, "<"), (Le, "<=")):
            if isinstance(item, kind):
                parts.append(f"{sign} {getattr(item, kind.__name__.lower())}")
        if isinstance(item, MinLen):
            parts.append(f"at least {item.min_length}")
    return " " + ", ".join(parts) if parts else ""


def default_text(value: Any, kind: str) -> str:
    """Write a default as it would stand in the file."""
    if value is None:
        return "not set"
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if kind.startswith("duration"):
        return f'`"{duration_text(value)}"`'
    if kind.startswith("size"):
        number, unit = next((value / size, unit) for size, unit in _SIZES if value >= size)
        return f'`"{number:g}{unit}"`'
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        inner = kind.removeprefix("list of ")
        return "`[" + ", ".join(default_text(item, inner).strip("`") for item in value) + "]`"
    if isinstance(value, dict):
        return "empty"
    return f"`{value:,}`".replace(",", "_") if isinstance(value, int) else f"`{value}`"


def duration_text(seconds: float) -> str:
    """Write seconds in the largest unit that gives a whole number."""
    if seconds == 0:
        return "0s"
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def _section_of(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """Return the model behind a key that is a table of its own, and what its heading adds: ``."{}"`` for any name."""
    if hasattr(annotation, "__metadata__"):
        return _section_of(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        inner = _section_of(arguments[1])
        return (inner[0], '."{}"') if inner else None
    found = [inner for item in arguments if (inner := _section_of(item))]
    return found[0] if found else None


def tables(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield Markdown: one table of keys per TOML table, the outer ones first."""
    comments = comments_of(model)
    rows, inner = [], []
    for name, field in model.model_fields.items():
        if name in _NOT_WRITTEN:
            continue
        path = f"{prefix}.{name}" if prefix else name
        section = _section_of(field.annotation)
        if section is not None:
            inner.append(
                (
                    path + section[1].format(name.rstrip("s").upper()),
                    section[0],
                    get_origin(field.annotation) is tuple,
                    field,
                )
            )
            continue
        rows.append(_row(name, field, comments))
    if rows:
        heading = f"`[{prefix}]`" if prefix else "top level"
        yield f"#### {heading}\n\n{_HEADER}" + "\n".join(rows) + "\n"
    for path, section_model, is_list, field in inner:
        shown = f"[{path}]" if is_list else path
        if field.default is None or is_list:
            yield f"`[{shown}]` is left out by default.\n"
        yield from tables(section_model, shown)


def parameter_table(model: type[BaseModel], without: Collection[str] = ()) -> str:
    """Return the parameters of a strategy as one table, those of its own class first, without some told elsewhere."""
    comments = comments_of(model)
    inherited = {name for kind in model.__bases__ if issubclass(kind, BaseModel) for name in kind.model_fields}
    names = sorted(model.model_fields.keys() - without, key=list(model.model_fields).index)
    rows = [_row(name, model.model_fields[name], comments) for name in sorted(names, key=inherited.__contains__)]
    return "| parameter | takes | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo, comments: Mapping[str, str]) -> str:
    is_table = _section_of(field.annotation) is not None
    kind = "list of tables" if is_table else type_text(field.annotation, tuple(field.metadata))
    default = "**required**" if field.is_required() else default_text(field.default, kind)
    return f"| `{name}` | {kind} | {default} | {comments.get(name, '')} |".replace("|  |", "| |")


def models_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models of tables within it."""
    yield model
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            yield from models_of(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
