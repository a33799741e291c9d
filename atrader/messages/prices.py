"""Prices of a gateway on their way into the data layer: pushes on ``data.push``, as positional arrays.

``ticks`` holds quotes as they came; bars are built from them. ``prices`` holds the last price of every instrument that
the gateway brings, each second: it heals whatever was lost, and says which instruments are whose. Both carry where they
stand in the gateway's stream of prices, so that the data layer sees when some are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from atrader.errors import WireError
from atrader.market import Tick

TICKS: Final = "ticks"
PRICES: Final = "prices"
_PLACE_TYPES: Final = (int, int, int)
_TICK_TYPES: Final = (str, int, int, float, float)


class Place(NamedTuple):
    """Where a push stands.

    Attributes
    ----------
    life : int
        Of the gateway process.
    seq : int
        Number of the push in this life, from 1 on; also of those that were dropped.
    since_ns : int
        Since when the broker's stream has not been broken, UTC ns.
    """

    life: int
    seq: int
    since_ns: int


class PricePush(NamedTuple):
    """One push.

    Attributes
    ----------
    ticks : list of Tick
        Oldest first.
    instruments : tuple of str, optional
        Of a ``prices`` push: all that the gateway brings, priced or not. None: it is a ``ticks`` push.
    """

    place: Place
    ticks: list[Tick]
    instruments: tuple[str, ...] | None = None


def ticks_body(place: Place, ticks: Sequence[Tick]) -> dict[str, object]:
    """Return the body of a ``ticks`` push."""
    return {"place": place, "ticks": ticks}


def prices_body(place: Place, ticks: Sequence[Tick], instruments: Sequence[str]) -> dict[str, object]:
    """Return the body of a ``prices`` push."""
    return {"place": place, "ticks": ticks, "instruments": instruments}


def read_push(kind: str, body: dict[str, Any]) -> PricePush:
    """Read a push.

    Raises
    ------
    WireError
        When it is none.
    """
    try:
        place = Place(*body["place"])
        is_sound = tuple(map(type, place)) == _PLACE_TYPES
        ticks = []
        for values in body["ticks"]:
            is_sound = is_sound and tuple(map(type, values)) == _TICK_TYPES
            ticks.append(Tick(*values))
        instruments = tuple(body["instruments"]) if kind == PRICES else None
    except (KeyError, TypeError) as error:
        raise WireError(f"push {kind!r}: {error!r}") from error
    if not is_sound or (instruments and not all(type(symbol) is str for symbol in instruments)):
        raise WireError(f"push {kind!r}: a value has another type than it should")
    return PricePush(place, ticks, instruments)
