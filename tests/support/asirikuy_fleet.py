"""A fleet with instances of the stand-in library: live on a synthetic market, with bars of the past imported."""

from __future__ import annotations

import contextlib
import csv
import json
import socket
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from atrader.clock import host_now_ns
from tests.support.asirikuy import framework_files, standin_library
from tests.support.fleet import Fleet

PAIR = "BTC/USD"  # traded at weekends too, by us and by the library
TOOLS = "manager.commands.tools"
_MINUTE_NS = 60 * 10**9
_SINCE_1900_S = 2_208_988_800

ROW, AVERAGES, METRONOME, ECHO, SCRIPT = range(200, 205)
"""Strategies of the stand-in."""

OPEN_BUY, CLOSE_BUY = 0x1, 0x2


@contextlib.contextmanager
def time_server(offset_s: float = 0.0) -> Iterator[str]:
    """Answer as a time server does; yield ``HOST:PORT``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    _, who = server.recvfrom(512)
                except TimeoutError:
                    continue
                seconds = host_now_ns() / 1e9 + offset_s + _SINCE_1900_S
                words = (int(seconds), int(seconds % 1 * 2**32))
                server.sendto(struct.pack("!BBbb11I", 0x1C, 1, 0, 0, *(0,) * 9, *words), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


class AsirikuyFleet(Fleet):
    """Instances of the library on one paper account."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.library = standin_library()
        self.config = framework_files(root / "asirikuy")
        self.temp = root / "asirikuy" / "tmp"
        self.servers = ""  # a line of parameters

    def write_market(self, *, text: str = "", ticks: float = 20.0, instruments: tuple[str, ...] = (PAIR,)) -> None:
        """Write a synthetic market of bars of a minute, and a paper account."""
        self.write_fleet(instruments=instruments, ticks=ticks, text=text)
        path = self.home.etc / "atrader.toml"
        path.write_text(path.read_text().replace("base_timeframe = '1s'", "base_timeframe = '1m'"))
        self.write_account()

    def write_library_instance(
        self,
        name: str = "bbs",
        magic: int = 7,
        *,
        mode: int = ROW,
        row: tuple[float, ...] = (OPEN_BUY | CLOSE_BUY, -1, 1),
        preset: str = "RUN_EVERY_TICK=1\n",
        parameters: str = "",
        text: str = "",
        bars: int = 10,
        instrument: str = PAIR,
        others: tuple[str, ...] = (),
    ) -> None:
        """Write an instance: its file and its preset.

        Parameters
        ----------
        row : tuple of float
            What the stand-in's strategy is told to say.
        others : tuple of str
            Instruments of further rates arrays.
        """
        arrays = ", ".join(f"{{ symbol = '{one}', timeframe = '1m', bars = {bars} }}" for one in (instrument, *others))
        said = "".join(f"ADDITIONAL_PARAM_{26 + place}={value:g}\n" for place, value in enumerate(row))
        (self.home.root / f"{name}.set").write_text(
            f"OPERATIONAL_MODE=1\nSTRATEGY_INSTANCE_ID={magic}\nMAX_OPEN_ORDERS=20\nADDITIONAL_PARAM_3={mode}\n"
            f"{said}{preset}"
        )
        self.write_instance(
            name,
            magic,
            strategy="asirikuy",
            instrument=instrument,
            text=(
                f"{text}\n[parameters]\nlibrary = '{self.library}'\nframework_config = 'asirikuy/AsirikuyConfig.xml'\n"
                f"preset = '{name}.set'\nstrategy_id = 29\nbroker_name = 'Helsinki'\nreference_name = 'UTC'\n"
                f"rates = [{arrays}]\ncontract_size = 1\n"
                f"call_every = '1s'\n{self.servers}\n{parameters}\n"
            ),
        )
        path = self.home.etc / "strategies" / f"{name}.toml"
        path.write_text(path.read_text().replace("timeframe = '1s'", "timeframe = '1m'"))

    def import_minutes(self, count: int = 60, instrument: str = PAIR, price: float = 60_000.0) -> None:
        """Store the minutes before now."""
        path = self.home.root / f"{instrument.replace('/', '')}_M1.csv"
        now_ns = host_now_ns() // _MINUTE_NS * _MINUTE_NS
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
            for number in range(count, 0, -1):
                stamp = datetime.fromtimestamp((now_ns - number * _MINUTE_NS) / 1e9, UTC).isoformat()
                rows.writerow([stamp, price, price + 2, price - 2, price + 1, 10])
        done = self.command("data", "import", str(path), "--instrument", instrument, "--timeframe", "1m", program=TOOLS)
        assert done.returncode == 0, done.stderr + done.stdout

    def alerts(self, kind: str) -> list[str]:
        """Return the texts of alerts of a kind in the history."""
        return [row["text"] for row in json.loads(json.dumps(self.history("alerts"))) if row["kind"] == kind]
