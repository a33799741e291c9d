"""The last prices for readers on this host, the reading side."""

from __future__ import annotations

import time
from typing import Final

from atrader.clock import NS_PER_S, host_now_ns
from atrader.messages.data import SharedPrices
from data_layer.shared import _compiled, memory
from data_layer.shared.layout import (
    ALIVE,
    NAME_BYTES,
    PRICE,
    PRICES,
    SILENCE_NS,
    SUPPORTED,
    USED,
    LastPrice,
    NotShared,
    read_header,
    read_slot,
)

_AGAIN_NS: Final = 5 * NS_PER_S  # between two attempts at a table that cannot be mapped
_unpack = PRICE.whole.unpack_from
_new = tuple.__new__


class PriceReader:
    """Reads the last prices from the memory of the data layer. For one thread."""

    def __init__(self, *, is_allowed: bool = True) -> None:
        self._offsets: dict[str, int] = {}
        self._words: memoryview | None = None
        self._not_before_ns = 0 if SUPPORTED and is_allowed else 2**63

    @property
    def wants_table(self) -> bool:
        """Whether it is time to ask the data layer where its table is."""
        return self._words is None and time.monotonic_ns() >= self._not_before_ns

    def attach(self, where: SharedPrices) -> None:
        """Map the table; when that is not possible, try again after some seconds."""
        try:
            mapping = memory.map_of(where.pid, where.descriptor)
            header = read_header(mapping, PRICES, where.epoch)
            if len(mapping) != PRICE.offset(header.slots) + header.slots * NAME_BYTES:
                raise NotShared(f"{len(mapping)} bytes for {header.slots} slots")
        except (OSError, NotShared):
            self._not_before_ns = time.monotonic_ns() + _AGAIN_NS
            return
        self._mapping = mapping
        self._names_at = PRICE.offset(header.slots)
        self._offsets = {}
        self._words = memoryview(mapping).cast("q")

    def read(self, instrument: str) -> LastPrice | None:
        """Return the last price; None when there is none yet. Takes less than a microsecond, never blocks.

        Raises
        ------
        NotShared
            When the table is not mapped or nobody writes it any more, or the writer stopped in the middle.
        """
        if _compiled.is_there:
            price = _compiled.slots.last_price(self._words, self._offsets, instrument, LastPrice, ALIVE, SILENCE_NS)
            if price is not None:
                return price
        return self._read_in_steps(instrument)

    def _read_in_steps(self, instrument: str) -> LastPrice | None:
        words, now_ns = self._words, host_now_ns()
        if words is None or not -SILENCE_NS < now_ns - words[ALIVE] < SILENCE_NS:
            self._detach()
        try:
            offset = self._offsets[instrument]
        except KeyError:
            if not self._find(instrument):
                return None
            offset = self._offsets[instrument]
        first, time_ns, received_ns, bid, ask, last = _unpack(self._mapping, offset)
        if first != last or not first:
            _, time_ns, received_ns, bid, ask, _ = read_slot(PRICE, self._mapping, offset)
        age_s = (now_ns - (time_ns if time_ns < received_ns else received_ns)) / 1e9
        return _new(LastPrice, (instrument, time_ns, received_ns, bid, ask, age_s if age_s > 0.0 else 0.0))

    def close(self) -> None:
        """Let the table go."""
        words, self._words = self._words, None
        if words is not None:
            words.release()
            self._mapping.close()

    def _detach(self) -> None:
        self.close()
        raise NotShared("no table of prices that somebody writes")

    def _find(self, instrument: str) -> bool:
        """Take in the names that are new; tell whether the instrument is among them."""
        assert self._words is not None
        for slot in range(len(self._offsets), self._words[USED]):
            begin = self._names_at + slot * NAME_BYTES
            name = self._mapping[begin : begin + NAME_BYTES].rstrip(b"\0").decode()
            self._offsets[name] = PRICE.offset(slot)
        if len(instrument.encode()) >= NAME_BYTES:
            raise NotShared(f"{instrument}: the name has no room in the table")
        return instrument in self._offsets
