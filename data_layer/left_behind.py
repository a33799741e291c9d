"""What instances that are gone had no time to tell the history: their outbox files are read at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.configuration.home import Home
from atrader.errors import AtraderError, WireError
from atrader.messages.gateway import OutboxRow
from atrader.runtime.outbox_file import read_outbox
from data_layer.history_writer import HistoryWriter

_BATCH: Final = 500
_RETRY_S: Final = 1.0


async def tell_what_is_left(
    home: Home, working: Collection[str], history: HistoryWriter, log: FilteringBoundLogger
) -> None:
    """Append the rows in the outbox files of all instances that do not work, each once; waits for a store that is away.

    The files are read and never written: an instance may come back at any moment, and goes on with its own. So they
    are read at each start, and rows that the history has are passed over by their numbers.

    Parameters
    ----------
    working : collection of str
        Instances with a worker, which hands over its own.
    """
    ours = {home.worker_outbox(name) for name in working}
    for path in sorted(home.worker_outbox("*").parent.glob(home.worker_outbox("*").name)):
        rows = [] if path in ours else await asyncio.to_thread(read_outbox, path)
        if not rows:
            continue
        name = path.stem.removeprefix("worker-")
        taken = await _tell(f"worker:{name}", rows, history, log)
        if taken:
            log.info("left-rows-told", instance=name, rows=taken, file=str(path))


async def _tell(source: str, rows: Sequence[OutboxRow], history: HistoryWriter, log: FilteringBoundLogger) -> int:
    known: int | None = None
    taken = 0
    while rows:
        batch = rows[:_BATCH]
        try:
            if known is None:
                known = await history.do(lambda store: store.last_seq(source))
                rows = [row for row in rows if row.seq > known]
                continue
            await _append(source, batch, history, log)
        except AtraderError:  # the writer has logged it
            await asyncio.sleep(_RETRY_S)
            continue
        taken += len(batch)
        rows = rows[_BATCH:]
    return taken


async def _append(source: str, rows: Sequence[OutboxRow], history: HistoryWriter, log: FilteringBoundLogger) -> None:
    """Append rows; those that the history refuses are left out, so that the others do not wait for them."""
    try:
        await history.append(source, rows)
    except WireError as error:
        if len(rows) == 1:
            log.error("history-row-refused", source=source, reason=str(error))
            return
        for row in rows:
            await _append(source, [row], history, log)
