"""From a line of OANDA's price stream to the callback of a strategy: gateway, data layer, worker, each a process.

The floor is the same way through bare processes: a TCP connection, a socket file to a second process, and from there
one to each of as many readers, with nothing but `recv` and `sendall` in between. As in a fleet, all of them sleep
between two lines, and the readers are nice.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import json

from benchmarks._support import fleets
from benchmarks._support.bare_chain import chain_s
from benchmarks._support.oanda_venue import Venue, venue
from benchmarks._support.report import Options, Report, median, percentile, run
from tests.support.fleet import Fleet, wait_for

CLAIM = "A price line received on the socket is in the callbacks of 20 workers 2 ms later (p99), at 200 lines/s"
PER_SECOND = 200
WORKERS = 20
MARK_MS = 2.0
PAIRS = ("EUR/USD", "GBP/USD", "USD/JPY", "EUR/JPY", "AUD/USD")

STRATEGY = '''
"""Notes when each quote comes; one host, so its wall clock is the same everywhere."""

import json
from pathlib import Path

from atrader.clock import host_now_ns
from atrader.strategy import EventStrategy


class Measured(EventStrategy):
    def on_start(self):
        self.rows = []

    def on_tick(self, tick):
        now_ns = host_now_ns()
        self.rows.append((tick.time_ns, now_ns - tick.time_ns, now_ns - tick.received_ns))

    def on_stop(self):
        folder = Path(__file__).with_name("rows")
        (folder / f"{id(self)}-{self.rows[0][1] if self.rows else 0}.json").write_text(json.dumps(self.rows))
'''


def write_fleet(
    root: Path, made: Venue, pairs: tuple[str, ...], workers: int, strategy: str, of_each: str = ""
) -> Fleet:
    """Write a fleet of workers on these instruments by turns."""
    fleet = Fleet(root, {"OANDA_TOKEN": made.told["token"]})
    for folder in ("etc/accounts", "etc/strategies", "strategies/rows"):
        (root / folder).mkdir(parents=True)
    (root / "strategies" / "measured.py").write_text(strategy)
    (root / "etc" / "atrader.toml").write_text(f"[data.backfill]\nlive_window = '1m'\n{fleets.RESTARTS}")
    (root / "etc" / "accounts" / "oanda.toml").write_text(made.account_file())
    for number in range(workers):
        (root / "etc" / "strategies" / f"i{number}.toml").write_text(
            f"strategy = 'strategies/measured.py:Measured'\naccount = 'oanda'\nmagic = {number + 1}\n"
            f"instrument = '{pairs[number % len(pairs)]}'\ntimeframe = '1m'\nwarmup_bars = 0\n{of_each}"
        )
    return fleet


def late_s(options: Options, name: str, lines: int, pairs: tuple[str, ...]) -> tuple[list[float], list[float], int]:
    """Return how late callbacks were, from the venue and from the gateway, and how many there were."""
    with venue(lines, PER_SECOND) as made:
        fleet = write_fleet(options.directory / name, made, pairs, WORKERS, STRATEGY)
        folder = options.directory / name / "strategies" / "rows"
        with fleets.running(fleet):
            made.begin()
            made.wait_tenth()
            made.wait_sent()
        found = wait_for(lambda: len(done := list(folder.glob("*.json"))) == WORKERS and done, "what workers noted")
    rows = [row for path in found for row in json.loads(path.read_text())[PER_SECOND // 2 :]]
    return [row[1] / 1e9 for row in rows], [row[2] / 1e9 for row in rows], len(rows)


def measure(options: Options) -> Report:
    lines = options.rounds or (PER_SECOND * 5 if options.quick else PER_SECOND * 60)
    bare = chain_s(options.directory, WORKERS, lines, 1 / PER_SECOND)
    report = Report()
    beside = "bare TCP + 2 socket files"
    for name, pairs in (("one instrument", PAIRS[:1]), (f"{len(PAIRS)} instruments", PAIRS)):
        sent, received, count = late_s(options, name.replace(" ", "-"), lines, pairs)
        report.add(f"line sent to callback, {name} (p50)", median(sent) * 1e3, "ms", beside, median(bare) * 1e3)
        report.add("  (p99)", percentile(sent, 0.99) * 1e3, "ms", beside, percentile(bare, 0.99) * 1e3)
        p99_ms = percentile(received, 0.99) * 1e3
        report.add("  received to callback (p50)", median(received) * 1e3, "ms", beside, median(bare) * 1e3)
        report.add(
            "  received to callback (p99)", p99_ms, "ms", beside, percentile(bare, 0.99) * 1e3,
            mark=f"{MARK_MS:g} ms", holds=p99_ms <= MARK_MS,
        )  # fmt: skip
        report.notes.append(f"{name}: {count:,} callbacks; of quotes that wait together only the last one is handed on")
    report.notes.append(
        f"{lines:,} lines at {PER_SECOND}/s, {WORKERS} workers; the floor has {WORKERS} readers of every line"
    )
    return report


if __name__ == "__main__":
    run("price_path", CLAIM, measure)
