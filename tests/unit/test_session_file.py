"""What a worker had, kept in a file that survives its deaths, and compared with what is stored."""

from __future__ import annotations

import resource
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrader.clock import NS_PER_S
from atrader.market import Bars, Tick
from atrader.orders.intake import first_order
from atrader.orders.model import Intent, Trade
from atrader.runtime import session_file
from atrader.runtime.session_file import (
    AskedPrice,
    Life,
    PassedOver,
    SessionFile,
    forgotten_life,
    packed_file,
    read_sessions,
    unpacked,
)
from research.rerun import bar_news
from tests.support.price_walks import walk
from worker.diary import code_of
from worker.strategies.rsi import RsiReversal

BARS = walk(40, "1h")


def life(**values: Any) -> Life:
    usual: dict[str, Any] = {
        "market_ns": 5, "strategy": "rsi", "code": "abc", "program": "1", "instrument": "EUR/USD", "timeframe": "1h",
        "parameters": {"rsi_period": 6}, "window": 10, "bar_ns": 0, "newest_ns": 0, "n": 3, "state": {"a": [1]},
        "pending": [],
    }  # fmt: skip
    return Life(**{**usual, **values})


def written(path: Path, *, lives: int = 1) -> None:
    for number in range(lives):
        file = SessionFile(path)
        file.begin(life(n=number), BARS[:10])
        for row in range(10, len(BARS)):
            file.handled(BARS.row(row), 99)
        file.close()


def test_lives_and_their_bars_are_read_as_they_were_written(tmp_path: Path) -> None:
    written(tmp_path / "one.session", lives=2)
    sessions = read_sessions(tmp_path / "one.session")
    assert [one.life for one in sessions] == [life(n=0), life(n=1)]
    for one in sessions:
        assert [bar.open_time_ns for bar in one.bars] == BARS.open_time_ns.tolist()
        assert [bar.host_ns for bar in one.bars] == [0] * 10 + [99] * 30


def test_a_line_cut_off_by_a_kill_costs_that_bar_only(tmp_path: Path) -> None:
    path = tmp_path / "one.session"
    written(path)
    path.write_bytes(path.read_bytes()[:-9])
    written(path)
    first, second = read_sessions(path)
    assert (len(first.bars), len(second.bars)) == (39, 40)


def test_a_large_file_is_set_aside_once_and_both_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.session"
    written(path)
    monkeypatch.setattr(session_file, "_LARGE", path.stat().st_size - 1)
    for _ in range(2):
        written(path)
        assert [len(one.bars) for one in read_sessions(path)] == [40, 40]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one.session", "one.session.000002"]


def test_without_room_nothing_is_written_and_nobody_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    written(tmp_path / "file" / "one.session")
    assert read_sessions(tmp_path / "file" / "one.session") == []


def test_a_file_grows_no_larger_by_what_is_heard_and_acted_on_between_two_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.session"
    monkeypatch.setattr(session_file, "_LARGE", 20_000)
    file = SessionFile(path)
    file.begin(life(), BARS[:10])
    for number in range(10_000):
        file.asked(number, Tick("EUR/USD", 5, 6, 1.1, 1.2), acted=True)
    file.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    assert max(one.stat().st_size for one in files) < 21_000


def long_life(path: Path, rows: int) -> None:
    """Write a life of so many bars, at most ten of which fit into a file."""
    file = SessionFile(path)
    file.begin(life(market_ns=7), BARS[:10])
    for row in range(10, rows):
        file.deciding(BARS.row(row).open_time_ns, Decimal(row))
        file.handled(BARS.row(row), 99)
    file.close()


def test_a_life_that_is_longer_than_a_file_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.session"
    written(path)
    monkeypatch.setattr(session_file, "_LARGE", 700)
    long_life(path, 38)
    *_, one = read_sessions(path)
    assert (one.life.market_ns, len(one.bars)) == (7, 38)
    assert [int(decided.equity) for decided in one.decided] == list(range(10, 38))
    assert len(list(tmp_path.glob("one.session.*"))) == 3
    assert forgotten_life(path) is None


def test_of_a_life_whose_begin_is_not_kept_any_more_it_is_told_when_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.session"
    monkeypatch.setattr(session_file, "_LARGE", 400)
    long_life(path, 40)
    assert read_sessions(path) == []
    assert forgotten_life(path) == 7
    written(path)
    assert [len(one.bars) for one in read_sessions(path)] == [40], "its lines are not those of the life before"
    assert forgotten_life(path) == 7


def test_what_an_older_release_set_aside_is_read_before_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "one.session"
    written(path)
    path.replace(path.with_suffix(".before"))
    written(path, lives=2)
    assert [one.life.n for one in read_sessions(path)] == [0, 0, 1]


def test_what_is_no_text_is_not_written_nor_are_its_bars_another_lifes(tmp_path: Path) -> None:
    path = tmp_path / "one.session"
    written(path)
    file = SessionFile(path)
    file.begin(life(state={"a": "\ud800"}), BARS[:10])  # which a checkpoint keeps
    file.handled(BARS.row(10), 99)
    file.close()
    (one,) = read_sessions(path)
    assert len(one.bars) == 40


def test_on_a_full_disk_a_line_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "one.session"
    file = SessionFile(path)
    file.begin(life(), BARS[:10])
    before = path.read_bytes()
    limit = len(before) + 12
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, held[1]))
    try:
        file.asked(8 * NS_PER_S, Tick("EUR/USD", 5, 6, 1.12345, 1.12355))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)
    assert path.read_bytes() == before
    file.handled(BARS.row(10), 99)
    file.close()
    (one,) = read_sessions(path)
    assert (len(one.bars), one.asked) == (11, [])


def altered(row: int) -> Bars:
    closes = BARS.close.copy()
    closes[row] = np.nextafter(closes[row], 2.0)
    return Bars(*BARS.columns[:4], closes, *BARS.columns[5:])


def test_a_bar_that_changed_in_its_last_bit_or_went_or_came_is_named(tmp_path: Path) -> None:
    written(tmp_path / "one.session")
    (one,) = read_sessions(tmp_path / "one.session")
    seen = one.bars
    opens = BARS.open_time_ns.tolist()
    assert bar_news(seen, BARS) == []
    (revised,) = bar_news(seen, altered(7))
    assert (revised.kind, revised.open_time_ns) == ("revised", opens[7])
    assert f"{BARS.close[7]:.10g} now" in revised.text
    (unseen,) = bar_news(seen[:20] + seen[21:], BARS)
    assert (unseen.kind, unseen.open_time_ns) == ("unseen", opens[20])
    (missing,) = bar_news(seen, BARS[:5].append(BARS[6:]))
    assert (missing.kind, missing.open_time_ns) == ("missing", opens[5])


def test_of_a_bar_that_was_revised_while_the_worker_ran_the_last_counts(tmp_path: Path) -> None:
    written(tmp_path / "one.session")
    file = SessionFile(tmp_path / "one.session")
    file.begin(life(), altered(7)[:10])
    file.close()
    seen = [bar for one in read_sessions(tmp_path / "one.session") for bar in one.bars]
    assert bar_news(seen, altered(7)) == []


@pytest.mark.parametrize("module", ["nowhere", "__main__"])
def test_a_strategy_without_a_source_file_has_no_fingerprint_and_fails_nobody(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)  # as in an interpreter that is typed into
    parameters = RsiReversal.Parameters()
    assert len(code_of(RsiReversal(parameters))) == 16
    assert code_of(type("Made", (RsiReversal,), {"__module__": module})(parameters)) == ""


def test_prices_that_were_asked_for_are_kept_to_the_last_digit_and_one_in_a_second_between_bars(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "one.session")
    file.begin(life(), BARS[:10])
    bid, ask = 1.1000000000000003, 1.1 + 0.2
    file.handled(BARS.row(10), 99, Tick("EUR/USD", 5, 6, bid, ask))
    file.handled(BARS.row(11), 99)
    for time_ns in (7 * NS_PER_S, 7 * NS_PER_S + 1, 8 * NS_PER_S):
        file.asked(time_ns, Tick("EUR/USD", 5, 6, bid, ask))
    file.asked(8 * NS_PER_S + 1, Tick("EUR/USD", 5, 6, bid, ask), acted=True)
    file.close()
    (one,) = read_sessions(tmp_path / "one.session")
    assert [(bar.bid, bar.ask) for bar in one.bars[-2:]] == [(bid, ask), (0.0, 0.0)]
    times = [7 * NS_PER_S, 8 * NS_PER_S, 8 * NS_PER_S + 1]
    assert one.asked == [AskedPrice(time_ns, bid, ask) for time_ns in times], "what it acted on is always kept"


def test_what_a_worker_hears_is_kept_whole_with_its_place_among_the_decisions(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "one.session")
    file.begin(life(), BARS[:10])
    trade = Trade(
        trade_id="x", account="paper", magic=7, instance="one", instrument="EUR/USD", side="buy",
        units_opened=Decimal(5), units=Decimal(5), open_time_ns=3, open_price=Decimal("1.10"),
    )  # fmt: skip
    file.heard(0, [trade])
    file.deciding(BARS.row(10).open_time_ns, Decimal("10.50"))
    file.heard(8, [trade.model_copy(update={"version": 2, "stop_loss": Decimal("1.0")})])
    file.handled(BARS.row(10), 99)
    file.heard(9, [trade.model_copy(update={"version": 3, "units": Decimal(0)})])
    file.deciding(BARS.row(11).open_time_ns, Decimal(11))  # and dies before anything came of it
    file.close()
    (one,) = read_sessions(tmp_path / "one.session")
    assert one.decided == [(BARS.row(10).open_time_ns, Decimal("10.50"), None)]
    assert [(said.time_ns, said.place, said.is_inside) for said in one.heard] == [
        (0, 0, False),
        (8, 1, True),
        (9, 1, False),
    ]
    assert one.heard[0].item == trade
    assert [said.item.version for said in one.heard] == [1, 2, 3]


def test_of_who_listens_the_place_among_the_quotes_is_kept_too_and_which_were_passed_over(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "one.session")
    file.begin(life(), BARS[:10])
    wish = Intent(magic=7, n=1, instance="one", instrument="EUR/USD", action="close", time_ns=3, trade_id="x")
    order = first_order(wish, None, None, 4, native_protection=True)
    file.passed_over(0, 50)
    file.deciding(BARS.row(10).open_time_ns, Decimal(10), 50)
    file.heard(60, [order], 50)
    file.handled(BARS.row(10), 99)
    file.asked(70, Tick("EUR/USD", 5, 6, 1.1, 1.2), acted=True)
    file.close()
    (one,) = read_sessions(tmp_path / "one.session")
    assert one.passed_over == [PassedOver(0, 50)]
    assert [decided.quote_ns for decided in one.decided] == [50]
    assert [(said.quote_ns, said.item) for said in one.heard] == [(50, order)]
    assert one.asked == [AskedPrice(70, 1.1, 1.2, place=1)]


def test_a_file_that_a_strategy_goes_on_from_is_kept_whole_and_one_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "7.state"
    assert packed_file(path) == ""
    path.write_bytes(bytes(12_020))
    packed = packed_file(path)
    assert len(packed) < 100
    assert unpacked(packed) == bytes(12_020)
