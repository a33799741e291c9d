"""Signals, incidents and process events on their way to the history: each once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from atrader.bus import CallClient, SyncCallClient
from atrader.clock import SystemClock
from atrader.configuration.instance import InstanceConfig
from atrader.messages.history import QueryHistory
from atrader.runtime.outbox_file import OutboxFile
from data_layer.client import DataClient
from manager.history import History
from tests.support.data_layer import DataLayerProcess, wait_until
from worker.history_sender import HistorySender
from worker.recorder import Recorder

pytestmark = pytest.mark.usefixtures("closed_context")

CONFIG = InstanceConfig.model_validate(
    {
        "name": "demo", "strategy": "sma-cross", "account": "paper", "magic": 7, "instrument": "EUR/USD",
        "timeframe": "1m",
    }
)  # fmt: skip


class Worker:
    """The part of a worker that tells the history."""

    def __init__(self, layer: DataLayerProcess) -> None:
        self.outbox = OutboxFile(layer.home.worker_outbox("demo"))
        self.recorder = Recorder(CONFIG, SystemClock(), self.outbox, structlog.get_logger())
        self.calls = SyncCallClient(layer.home.endpoint("data.call"))
        self.sender = HistorySender("worker:demo", self.outbox, self.calls, SystemClock(), structlog.get_logger())

    def signal(self, bar: int) -> None:
        self.recorder.signal("cross", 1.0, {"fast": float(bar)}, f"1m|{bar}", 1)
        self.sender.work()

    def die(self) -> None:
        """Leave as SIGKILL would: nothing is handed over."""
        self.calls.close()
        self.outbox.close()


def signals(layer: DataLayerProcess) -> list[float]:
    with DataClient(layer.home) as client:
        return [row["indicators"]["fast"] for row in client.history(QueryHistory(table="signals"))]


def test_what_an_instance_had_no_time_to_tell_is_told_when_it_is_gone_and_again_changes_nothing(tmp_path: Path) -> None:
    layer = DataLayerProcess(tmp_path)  # no instance is configured
    worker = Worker(layer)
    for bar in range(1, 701):
        worker.recorder.signal("cross", 1.0, {"fast": float(bar)}, f"1m|{bar}", 1)
    worker.die()
    left = worker.outbox.path.read_bytes()
    with layer:
        wait_until(lambda: len(signals(layer)) == 700, "what was left")
        layer.stop()
        layer.start()
        worker = Worker(layer)  # it comes back
        worker.signal(701)
        worker.sender.flush(90)
        assert worker.outbox.rows == []
        assert signals(layer) == [float(bar) for bar in range(1, 702)]
        worker.die()
    assert left.count(b"\n") == 701


def test_an_instance_that_works_tells_its_rows_itself(tmp_path: Path) -> None:
    instances = {"demo": CONFIG.model_dump(mode="json")}
    layer = DataLayerProcess(tmp_path, instances=instances)
    worker = Worker(layer)
    worker.recorder.signal("cross", 1.0, {"fast": 1.0}, "1m|1", 1)
    worker.die()
    worker.outbox.path.with_name("worker-gone.jsonl").write_bytes(worker.outbox.path.read_bytes())
    with layer, DataClient(layer.home) as client:
        wait_until(lambda: client.last_seq("worker:gone"), "the one that is gone")
        assert client.last_seq("worker:demo") == 0


def test_signals_survive_kills_of_data_layer_and_worker_and_are_there_once(tmp_path: Path) -> None:
    with DataLayerProcess(tmp_path) as layer:
        worker = Worker(layer)
        for bar in range(1, 301):
            worker.signal(bar)
            if bar % 75 == 0:
                layer.kill()
            if bar % 75 == 25 and bar > 75:
                layer.start()
            if bar % 90 == 0:
                worker.die()
                worker = Worker(layer)
                worker.signal(bar)  # the bar is decided again
        layer.start()
        worker.sender.flush(90)
        assert worker.outbox.rows == []
        assert signals(layer) == [float(bar) for bar in range(1, 301)]
        worker.die()


def test_a_worker_never_waits_for_a_data_layer_that_is_away(tmp_path: Path) -> None:
    layer = DataLayerProcess(tmp_path)
    worker, clock = Worker(layer), SystemClock()
    longest_s = 0.0
    for bar in range(200):
        began_s = clock.monotonic_s()
        worker.signal(bar)
        longest_s = max(longest_s, clock.monotonic_s() - began_s)
    assert longest_s < 4.5, "a call waits five seconds"
    assert len(worker.outbox.rows) == 200
    worker.die()


def test_a_row_that_the_history_cannot_take_holds_nothing_up(tmp_path: Path) -> None:
    with DataLayerProcess(tmp_path) as layer:
        worker = Worker(layer)
        worker.outbox.append("signals", 1, {"bar": "1m|0"})  # no name
        worker.signal(1)
        worker.signal(2)
        worker.sender.flush(90)
        assert worker.outbox.rows == []
        assert signals(layer) == [1.0, 2.0]
        worker.die()


def test_process_events_survive_kills_of_data_layer_and_manager_and_are_there_once(tmp_path: Path) -> None:
    async def life(layer: DataLayerProcess, numbers: range, *, hand_over: bool) -> None:
        outbox = OutboxFile(layer.home.data / "manager-outbox.jsonl")
        calls = CallClient(layer.home.endpoint("data.call"))
        history = History(outbox, calls, SystemClock(), structlog.get_logger())
        history.start()
        history.data_layer_is(hand_over)
        for number in numbers:
            history.event({"process": "manager", "kind": "state", "text": str(number)})
            await asyncio.sleep(0)
        if hand_over:
            await history.flush(90)
        await history.close()
        await calls.close()

    with DataLayerProcess(tmp_path) as layer:
        asyncio.run(life(layer, range(50), hand_over=True))
        layer.kill()
        asyncio.run(life(layer, range(50, 100), hand_over=False))
        layer.start()
        asyncio.run(life(layer, range(100, 150), hand_over=True))
        with DataClient(layer.home) as client:
            events = wait_until(lambda: client.history(QueryHistory(table="events")), "the events")
        assert [int(row["text"]) for row in events] == list(range(150))
