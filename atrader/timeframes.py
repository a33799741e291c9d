"""Timeframes: how much time a bar covers."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from atrader.clock import NS_PER_S
from atrader.errors import ConfigError

_TEXT: Final = re.compile(r"([1-9][0-9]{0,4})([smhdwM])", re.ASCII)
_FIXED_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600}
_DAY_S: Final = 86_400
# A month is taken as 30 days where only a nominal length is asked for (ordering, look-back guesses).
_CALENDAR_UNITS_S: Final = {"d": _DAY_S, "w": 7 * _DAY_S, "M": 30 * _DAY_S}


@dataclass(frozen=True, slots=True, order=True)
class Timeframe:
    """A length of bars: fixed (`5s`, `15m`, `4h`) or given by the calendar (`1d`, `1w`, `1M`).

    Make one with `Timeframe.parse`. Equal lengths are equal timeframes (`60m` becomes `1h`), they order by length,
    and they hash. Where a bar begins is the calendar's business, see `atrader.calendars`.

    Attributes
    ----------
    seconds : int
        Length in seconds; for `1d`, `1w` and `1M` the nominal one (a day may last 23 or 25 hours).
    name : str
        The shortest text that `parse` accepts.
    """

    seconds: int
    name: str

    @classmethod
    def parse(cls, text: str) -> "Timeframe":
        """Return the timeframe that `text` names: a count and one of s, m, h, d, w, M (month).

        Raises
        ------
        ValueError
            If the text has another form; if days, weeks or months are counted (`3d`: brokers do not agree where
            such a bar begins); if seconds, minutes or hours reach a day (`24h`: write `1d`).
        """
        return _parse(text)

    @classmethod
    def given(cls, text: str) -> "Timeframe":
        """Return the timeframe that a person wrote on a command line.

        Raises
        ------
        ConfigError
            Where `parse` raises ValueError, in the same words.
        """
        try:
            return _parse(text)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    @classmethod
    def of_ns(cls, length_ns: int) -> "Timeframe":
        """Return the timeframe of a length in nanoseconds, such as the distance of two bars; a day and more is nominal.

        Raises
        ------
        ValueError
            If no timeframe is that long.
        """
        seconds, rest = divmod(length_ns, NS_PER_S)
        if rest or seconds <= 0:
            raise ValueError(f"timeframe: no timeframe is {length_ns} ns long")
        for name, nominal_s in _CALENDAR_UNITS_S.items():
            if seconds == nominal_s:
                return _parse(f"1{name}")
        return _parse(f"{seconds}s")

    @property
    def is_fixed(self) -> bool:
        """Whether each bar lasts equally long, that is, whether it is shorter than a day."""
        return self.seconds < _DAY_S

    @property
    def ns(self) -> int:
        """Length in nanoseconds.

        Raises
        ------
        ValueError
            For `1d`, `1w` and `1M`, whose bars differ in length: ask the calendar when the bar ends.
        """
        if self.seconds >= _DAY_S:
            raise ValueError(f"{self.name} bars have no fixed length; use Calendar.next_bar_open")
        return self.seconds * NS_PER_S

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=256)
def _parse(text: str) -> Timeframe:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"timeframe: expected a count and one of s, m, h, d, w, M (such as 15m), was {text!r}")
    count, unit = int(match[1]), match[2]
    if unit in _CALENDAR_UNITS_S:
        if count != 1:
            raise ValueError(f"timeframe: days, weeks and months come one at a time, was {text!r}")
        return Timeframe(_CALENDAR_UNITS_S[unit], text)
    seconds = count * _FIXED_UNITS_S[unit]
    if seconds >= _DAY_S:
        raise ValueError(f"timeframe: expected less than a day in s, m or h (else 1d, 1w, 1M), was {text!r}")
    return Timeframe(seconds, _shortest_name(seconds))


def _shortest_name(seconds: int) -> str:
    for unit in ("h", "m"):
        count, rest = divmod(seconds, _FIXED_UNITS_S[unit])
        if not rest:
            return f"{count}{unit}"
    return f"{seconds}s"
