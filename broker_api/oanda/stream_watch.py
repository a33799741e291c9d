"""How a stream of OANDA does: refused or open, since when it is silent, how often it had to be opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from atrader.broker_health import StreamHealth
from atrader.clock import Clock
from atrader.errors import AtraderError
from broker_api.oanda.status import body_of
from broker_api.oanda.transport import Answer

_UNAUTHORISED = 401


class StreamWatch:
    """Sees one stream through all its connections.

    Parameters
    ----------
    name : str
        What it brings, for people: "transactions", "prices".
    refusal : type of AtraderError
        Raised when the broker has no stream for us now: one too many, or it is busy.
    clock : Clock
        The host's.

    Attributes
    ----------
    connected : bool
        Set and cleared by whoever reads the stream, which knows when it is of use.
    opened : int
        How often the broker let us in.
    """

    def __init__(self, name: str, refusal: type[AtraderError], clock: Clock) -> None:
        self._name = name
        self._refusal = refusal
        self._clock = clock
        self._heard_s: float | None = None
        self.connected = False
        self.opened = 0

    def admitted(self, opened: AsyncIterator[list[bytes]] | Answer) -> AsyncIterator[list[bytes]]:
        """Return the lines of a stream that was asked for.

        Raises
        ------
        ConfigError
            The broker does not let us in at all (exit code AUTH).
        AtraderError
            Of the class `refusal`: it lets us in, but not now.
        """
        if isinstance(opened, Answer):
            if opened.status == _UNAUTHORISED:
                body_of(opened, acting=False, what=f"stream of {self._name}")
            raise self._refusal(f"OANDA refuses the stream of {self._name}: status {opened.status}")
        self.opened += 1
        return opened

    def heard(self) -> None:
        """Note that something came."""
        self._heard_s = self._clock.monotonic_s()

    def health(self) -> StreamHealth:
        """Return how the stream does."""
        return StreamHealth(
            name=self._name,
            connected=self.connected,
            heard_age_s=None if self._heard_s is None else self._clock.monotonic_s() - self._heard_s,
            reconnects=max(0, self.opened - 1),
        )
