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
        ticks = [Tick(*values) for values in body["ticks"]]
        instruments = tuple(body["instruments"]) if kind == PRICES else None
    except (KeyError, TypeError) as error:
        raise WireError(f"push {kind!r}: {error!r}") from error
    whole = (*place, *(value for tick in ticks for value in tick[1:3]))
    texts = (*(tick.instrument for tick in ticks), *(instruments or ()))
    prices = (value for tick in ticks for value in tick[3:])
    if not (
        all(type(value) is int for value in whole)
        and all(type(value) is str for value in texts)
        and all(type(value) is float for value in prices)
    ):
        raise WireError(f"push {kind!r}: a value has another type than it should")
    return PricePush(place, ticks, instruments)
