"""Texts of a command line become axes, checked against the parameters of the strategy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from atrader.configuration.problems import did_you_mean
from atrader.errors import ConfigError
from atrader.strategy import Parameters
from research.optimisation.axes import Axis, Choices, Span, Value
from research.optimisation.constraints import Constraint
from research.optimisation.space import SearchSpace

AUTO: Final = "auto"
"""Stands for the whole range that the strategy declares."""

_NUMBER: Final = r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?"
_RANGE: Final = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?")
_MOST_STEPS: Final = 100_000
_EXPECTED: Final = "expected values (5,10,15), a range with or without steps (5:50:5, 1.5:3), or 'auto'"


def read_space(
    model: type[Parameters], fixed: Mapping[str, object], texts: Mapping[str, str], constraints: Sequence[str]
) -> SearchSpace:
    """Return what some texts say is to be tried.

    Parameters
    ----------
    model : type of Parameters
        The strategy's.
    fixed : Mapping of str to object
        What stays as it is; a parameter that varies is taken out.
    texts : Mapping of str to str
        By parameter (``-`` counts as ``_``): ``5,10,15``, ``5:50:5`` (both ends), ``1.5:3.0``, ``auto``, or several of
        them with commas between.
    constraints : sequence of str
        Such as ``fast < slow``.

    Raises
    ------
    ConfigError
        Naming the parameter, the value and what it may be.
    """
    if not texts:
        if not model.model_fields:
            raise ConfigError("nothing to be varied: the strategy has no parameters")
        varied = ", ".join(f"--{name.replace('_', '-')}" for name in model.model_fields)
        raise ConfigError(
            f"nothing to be varied: give values for a parameter, such as --NAME 5,10,15; there are {varied}"
        )
    axes = [_axis(model, name.replace("-", "_"), text) for name, text in texts.items()]
    twice = {axis.name for axis in axes if sum(other.name == axis.name for other in axes) > 1}
    if twice:
        raise ConfigError(f"--{twice.pop()} is given twice: put all its values behind one")
    rest = {name: value for name, value in fixed.items() if name not in {axis.name for axis in axes}}
    for name, value in rest.items():
        _check_fixed(model, name, value)
    known = set(model.model_fields)
    return SearchSpace(model, rest, axes, [Constraint(text, known) for text in constraints])


def _check_fixed(model: type[Parameters], name: str, value: object) -> None:
    field = model.model_fields.get(name)
    if field is not None:
        _checked(field, name, value, f"parameter {name}")
    elif model.model_config.get("extra") == "forbid":
        known = ", ".join(model.model_fields)
        raise ConfigError(
            f"parameter {name}: no such parameter{did_you_mean(name, model.model_fields)}; there are {known}"
        )


def _axis(model: type[Parameters], name: str, text: str) -> Axis:
    field = model.model_fields.get(name)
    if field is None:
        known = ", ".join(model.model_fields)
        raise ConfigError(f"--{name}: no such parameter{did_you_mean(name, model.model_fields)}; there are {known}")
    if text.strip() == AUTO:
        return _declared(name, field)
    pieces, found = _pieces(text, name), []
    for piece in pieces:
        span = _RANGE.fullmatch(piece) if _is_number(field) else None  # "09:30" is a time of the day elsewhere
        if span is None:
            found.append(_checked(field, name, _read(piece)))
            continue
        low, high, step = Decimal(span[1]), Decimal(span[2]), span[3]
        if step is None and not _is_whole(field):
            if len(pieces) > 1:
                raise ConfigError(f"--{name} {text}: a range without steps ({piece}) stands alone")
            return _span(field, name, low, high)
        found += [_checked(field, name, value) for value in _steps(name, low, high, Decimal(step or 1))]
    return _each_once(Choices.of(name, found), text, found)


def _each_once(axis: Choices, text: str, given: Sequence[Value]) -> Choices:
    """Return the axis, unless it dropped one of the values that were given."""
    if len(axis.values) < len(given):
        twice = next(value for at, value in enumerate(given) if value in given[:at])
        raise ConfigError(f"--{axis.name} {text}: {twice} is given twice; give each value once")
    return axis


def _pieces(text: str, name: str) -> list[str]:
    """Cut at commas, but for those inside of brackets."""
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += letter
    pieces = [piece.strip() for piece in pieces]
    if not all(pieces):
        raise ConfigError(f"--{name} {text!r}: {_EXPECTED}")
    return pieces


def _read(text: str) -> Value:
    """Read TOML (``20``, ``true``, ``[1.0, 2.0]``), else a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _steps(name: str, low: Decimal, high: Decimal, step: Decimal) -> list[Value]:
    if high < low or step <= 0:
        raise ConfigError(f"--{name} {low}:{high}:{step}: a range goes up, in steps above zero")
    count = int((high - low) / step) + 1
    if count > _MOST_STEPS:
        raise ConfigError(f"--{name} {low}:{high}:{step}: {count:,} values, {_MOST_STEPS:,} at most")
    values = [low + step * number for number in range(count)]
    return [int(value) if value == value.to_integral_value() else float(value) for value in values]


def _span(field: FieldInfo, name: str, low: Decimal, high: Decimal) -> Span:
    for end in (low, high):
        _checked(field, name, float(end))
    if high <= low:
        raise ConfigError(f"--{name} {low}:{high}: a range goes up")
    return Span(name, float(low), float(high))


def _declared(name: str, field: FieldInfo) -> Axis:
    """Return the range of a parameter's pydantic constraints, or the words it may be."""
    words = _adapter(field).json_schema().get("enum")
    if words:
        return Choices.of(name, words)
    low, high = (_bound(field, keys) for keys in (("ge", "gt"), ("le", "lt")))
    if low is None or high is None:
        raise ConfigError(f"--{name} {AUTO}: the strategy declares no range with two ends for it; give values")
    if _is_whole(field):
        whole = [value for value in _steps(name, Decimal(low), Decimal(high), Decimal(1)) if _fits(field, value)]
        return Choices.of(name, whole)
    inside = [low, high]
    for at, end in enumerate(inside):
        if not _fits(field, end):  # an open end: a thousandth of the range further in
            inside[at] = end + (high - low) / 1000 * (1 if at == 0 else -1)
    return Span(name, *inside)


def _bound(field: FieldInfo, keys: tuple[str, str]) -> float | None:
    inside = (item for kind in get_args(field.annotation) for item in getattr(kind, "__metadata__", ()))
    for item in (*field.metadata, *inside):
        for rule in getattr(item, "metadata", (item,)):
            value = next((getattr(rule, key) for key in keys if getattr(rule, key, None) is not None), None)
            if value is not None:
                return float(value)
    return None


def _is_whole(field: FieldInfo) -> bool:
    return field.annotation is int


def _is_number(field: FieldInfo) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,)
    return any(_bare(kind) in (int, float, Decimal) for kind in kinds)


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]


def _fits(field: FieldInfo, value: Value) -> bool:
    try:
        _adapter(field).validate_python(value)
    except ValidationError:
        return False
    return True


def _checked(field: FieldInfo, name: str, value: Value, told: str | None = None) -> Value:
    """Return a value as JSON holds it, once the strategy's own range was asked.

    Parameters
    ----------
    told : str, optional
        What an error calls the parameter instead of ``--NAME``.

    Raises
    ------
    ConfigError
        When it is none.
    """
    adapter = _adapter(field)
    try:
        found = adapter.validate_python(value)
    except ValidationError as error:
        problems = "; ".join(
            "".join(f"{part}: " for part in item["loc"]) + item["msg"][:1].lower() + item["msg"][1:]
            for item in error.errors()
        )
        raise ConfigError(f"{told or f'--{name}'}: {_shown(value)}: {problems}") from error
    return _as_number(adapter.dump_python(found, mode="json"))


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def _as_number(value: Value) -> Value:
    """Turn money, which JSON has as text, back into a number: values of an axis have an order."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
