"""What all configuration models share: strictness, durations with units, names."""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from atrader.fast_models import PlainlyRead
from atrader.local_times import parse_local, parse_zone
from atrader.timeframes import Timeframe

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB)\s*$")
_SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def _duration_s(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.match(value)
        if match is None:
            raise ValueError(f"expected a duration with a unit such as '500ms', '5s', '2m', '1h', '1d', was {value!r}")
        return float(match[1]) * _UNITS_S[match[2]]
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and value != 0:
        raise ValueError(f"expected a duration with a unit such as '{value}s', was the bare number {value}")
    return value


def _duration_text(seconds: float) -> str:
    """Write a duration as it is read, to the last digit: configurations travel over the bus."""
    return f"{Decimal(repr(seconds)):f}s"


def _size_bytes(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.match(value)
        if match is None:
            raise ValueError(f"expected a size with a unit such as '200MB' or '1.5GB', was {value!r}")
        return int(Decimal(match[1]) * _SIZES[match[2]])
    return value


class Section(PlainlyRead):
    """Base of every configuration model: frozen; unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _fixed_timeframe(value: str) -> str:
    timeframe = Timeframe.parse(value)
    if not timeframe.is_fixed:
        raise ValueError(f"expected a timeframe below a day, was {value!r}")
    return timeframe.name


def _local_time(value: str) -> str:
    if parse_local("time of day", value).tzinfo is not None:
        raise ValueError(f"expected a local time without a zone, was {value!r}")
    return value


DurationS = Annotated[float, BeforeValidator(_duration_s), Field(ge=0), PlainSerializer(_duration_text)]
"""A duration in seconds, written as a string with a unit (``"5s"``)."""

SizeBytes = Annotated[int, BeforeValidator(_size_bytes), Field(ge=0)]
"""A size in bytes, written as a string with a unit (``"200MB"``)."""

TimeframeName = Annotated[str, AfterValidator(lambda value: Timeframe.parse(value).name)]
"""A timeframe in its shortest form (``60m`` becomes ``1h``)."""

FixedTimeframeName = Annotated[str, AfterValidator(_fixed_timeframe)]
"""A timeframe below a day, in its shortest form."""

LocalTime = Annotated[str, AfterValidator(_local_time)]
"""A local time of day, such as ``"09:30"``."""

ZoneName = Annotated[str, AfterValidator(lambda name: parse_zone(name).key)]
"""The name of an IANA zone, such as ``"America/New_York"``."""

NAME_PATTERN: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN.pattern)]
"""Name of an account or instance: it becomes part of file names, topics and metrics labels."""
