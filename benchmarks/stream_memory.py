"""Memory of gateway, data layer and worker over a day of price lines, sent some hundred times as fast as they come."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import time

import psutil

from benchmarks._support import fleets
from benchmarks._support.oanda_venue import venue
from benchmarks._support.report import Options, Report, run
from benchmarks.price_path import PAIRS, write_fleet

CLAIM = "Memory stays flat over a day of price lines"
PER_SECOND = 4 * len(PAIRS)  # the most that the broker sends of so many instruments
DAY_S = 86_400
SENT_PER_S = 400 * PER_SECOND  # what comes faster than it is read waits in queues, which are measured then
PROCESSES = ("gateway-oanda", "data-layer", "worker-i0")
MARK_MB = 5.0

LISTENER = '''
"""Hears every quote and keeps none."""

from atrader.strategy import EventStrategy


class Measured(EventStrategy):
    def on_tick(self, tick):
        self.last = tick
'''


def measure(options: Options) -> Report:
    lines = options.rounds or PER_SECOND * (DAY_S // 20 if options.quick else DAY_S)
    report = Report()
    with venue(lines, SENT_PER_S) as made:
        fleet = write_fleet(options.directory / "home", made, PAIRS, len(PAIRS), LISTENER)
        with fleets.running(fleet):
            watched = {name: psutil.Process(fleet.pid(name)) for name in PROCESSES}
            resident = {name: [] for name in PROCESSES}
            options.progress.say(f"{lines:,} lines")
            made.begin()
            began_s = time.monotonic()
            for tenth in range(1, 11):
                made.wait_tenth()
                for name, process in watched.items():
                    resident[name].append(process.memory_info().rss / 1e6)
                options.progress.say(f"{lines * tenth // 10:,} of {lines:,} lines")
            took_s = time.monotonic() - began_s
    for name in PROCESSES:
        grown_mb = resident[name][-1] - resident[name][0]
        report.add(f"{name} grew, from a tenth of the lines to the end", grown_mb, "MB", mark=f"{MARK_MB:g} MB",
                   holds=grown_mb <= MARK_MB)  # fmt: skip
        report.add("  at the end", resident[name][-1], "MB")
        report.notes.append(f"{name}, MB after each tenth: {' '.join(f'{value:.1f}' for value in resident[name])}")
    report.add("lines read", lines / took_s, "/s")
    report.notes.append(
        f"{lines:,} lines of {len(PAIRS)} instruments: {lines / PER_SECOND / 3600:.1f} h at {PER_SECOND}/s"
    )
    return report


if __name__ == "__main__":
    run("stream_memory", CLAIM, measure, about_s=(25, 240))
