"""When the market switches an instance, and the file that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrader.conditions import PHASES, VOLATILITIES, Conditions, conditions
from atrader.configuration.home import Home
from atrader.configuration.selection import DetectorConfig, SelectionConfig
from atrader.market import Bars
from atrader.selection.file import Selections
from atrader.selection.model import Selected
from atrader.selection.rule import Switches, judge, suits, timeline, window_bars
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from broker_api.gateway.trading_states import TradingStateReader
from tests.support.price_series import make_prices

SMALL = DetectorConfig(adx_period=5, usual_bars=20, channel_bars=10)
WISH = SelectionConfig(phases=("trend",), confirm_bars=2, min_dwell_bars=4, detector=SMALL)
S = TradingState


def bars_of(kind: str, seed: int, count: int) -> Bars:
    """Bars a minute apart."""
    prices = make_prices(kind, seed, count)
    bid = (prices.close, prices.high, prices.low, prices.close)
    times = np.arange(1, count + 1, dtype=np.int64) * 60_000_000_000
    return Bars(times, *bid, *bid, np.zeros(count))


def switched(text: str, **counts: int) -> list[int]:
    """Places of the switches for bars that suit (+), do not (-), or are not known (?)."""
    config = SelectionConfig.model_validate({"phases": ["range"], "confirm_bars": 2, "min_dwell_bars": 4, **counts})
    return Switches(config).run([{"+": 1, "-": 0, "?": -1}[sign] for sign in text])


def test_a_switch_waits_for_its_confirmation() -> None:
    assert switched("-+-++") == [4]


def test_a_bar_that_is_not_known_confirms_nothing() -> None:
    assert switched("+?+?+") == []
    assert switched("+?++") == [3]


def test_a_switch_back_waits_for_the_dwell_time() -> None:
    # Active from bar 1 on; bars 2 and 3 confirm the contrary, the fourth bar after the switch is bar 5.
    assert switched("++------") == [1, 5]
    assert switched("++------", min_dwell_bars=0) == [1, 3]


def test_wishes_that_change_all_the_time_switch_nothing() -> None:
    assert switched("++" + "-+" * 50) == [1]


def test_one_bar_confirms_when_that_is_asked_for() -> None:
    assert switched("+-+-", confirm_bars=1, min_dwell_bars=0) == [0, 1, 2, 3]


def suited(**wishes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every pair of phase and volatility that suits."""
    pairs = [(phase, volatility) for phase in PHASES for volatility in VOLATILITIES]
    codes = [(PHASES.index(phase), VOLATILITIES.index(volatility)) for phase, volatility in pairs]
    phase, volatility = (np.array(column, np.int8) for column in zip(*codes, strict=True))
    nothing = np.zeros(len(pairs))
    found = suits(SelectionConfig(**wishes), Conditions(phase, volatility, nothing, nothing))  # type: ignore[arg-type]
    for pair, answer in zip(pairs, found, strict=True):
        assert (answer == -1) == ("unknown" in pair)
    return [(str(pair[0]), str(pair[1])) for pair, answer in zip(pairs, found, strict=True) if answer == 1]


def test_trend_and_breakout_mean_both_directions() -> None:
    assert {phase for phase, _ in suited(phases=("trend", "breakout-down"))} == {
        "trend-up", "trend-down", "breakout-down"
    }  # fmt: skip


def test_phase_and_volatility_must_both_suit() -> None:
    assert suited(phases=("range",), volatility=("quiet", "normal")) == [("range", "quiet"), ("range", "normal")]
    assert len(suited(volatility=("volatile",))) == 5


def test_before_any_bar_nothing_may_open() -> None:
    assert Selected.before_any_bar(WISH).state is S.REDUCING


def test_judging_says_what_is_missing() -> None:
    after = judge(WISH, Selected.before_any_bar(WISH), bars_of("rising", 1, 15))
    assert after.condition == "unknown: 6 bars are missing to judge it"
    assert (after.state, after.since_ns) == (S.REDUCING, 0)


def test_with_the_bars_of_the_warm_up_nothing_is_missing_any_more() -> None:
    last = {count: judge(WISH, Selected.before_any_bar(WISH), bars_of("rising", 1, count)) for count in (20, 21)}
    assert last[20].condition.startswith("unknown: 1 bar is missing to judge it")
    assert last[21].condition.startswith("trend-up (ADX ")
    assert last[21].reason == f"market is {last[21].condition}; made for trend"  # two bars would confirm it


@pytest.mark.parametrize("detector", [SMALL, SMALL.model_copy(update={"usual_bars": 700})])
def test_as_many_bars_as_are_looked_at_live_say_what_the_whole_history_says(detector: DetectorConfig) -> None:
    bars, count = bars_of("random", 2, 2_000), window_bars(WISH.model_copy(update={"detector": detector}))
    whole = conditions(bars.high, bars.low, bars.close, detector)
    for end in range(count, len(bars), 97):
        part = bars[end - count : end]
        now, then = conditions(part.high, part.low, part.close, detector).at(-1), whole.at(end - 1)
        assert now[:2] == then[:2]
        assert now[2:] == pytest.approx(then[2:], rel=1e-7)


def test_of_several_switches_at_once_the_last_one_is_why() -> None:
    bars = bars_of("bursts", 0, 300)
    changes = np.flatnonzero(np.diff(timeline(WISH, bars))) + 1
    assert len(changes) > 1
    after = judge(WISH, Selected.before_any_bar(WISH), bars)
    at = conditions(bars.high, bars.low, bars.close, SMALL).at(int(changes[-1]))
    assert (after.since_ns, after.reason) == (bars.open_time_ns[changes[-1]], f"market is {at}; made for trend")


def test_before_the_first_switch_the_last_bar_says_why_there_was_none() -> None:
    config = WISH.model_copy(update={"phases": ("range",)})
    after = judge(config, Selected.before_any_bar(config), bars_of("rising", 1, 60))
    assert (after.state, after.since_ns) == (S.REDUCING, 0)
    assert after.reason == f"market is {after.condition}; made for range"


def test_a_trend_lets_an_instance_open_that_is_made_for_it() -> None:
    bars = bars_of("rising", 1, 60)
    after = judge(WISH, Selected.before_any_bar(WISH), bars)
    assert after.state is S.ACTIVE
    # The phase is known at the 10th bar, the volatility at the 21st; two bars confirm.
    assert after.since_ns == int(bars.open_time_ns[21])
    assert after.reason.startswith("market is trend-up (ADX ")
    assert after.reason.endswith("; made for trend")
    assert np.flatnonzero(timeline(WISH, bars))[0] == 21


def test_judging_the_same_bars_again_changes_nothing() -> None:
    bars = bars_of("rising", 1, 60)
    after = judge(WISH, Selected.before_any_bar(WISH), bars)
    assert judge(WISH, after, bars) is after


@pytest.mark.parametrize("seed", range(3))
def test_restarts_at_any_bar_change_nothing(tmp_path: Path, seed: int) -> None:
    bars, path = bars_of("bursts", seed, 300), tmp_path / "selection.json"
    active = timeline(WISH, bars)
    assert 2 <= np.count_nonzero(np.diff(active)) <= 300 / 4
    before = Selected.before_any_bar(WISH)
    for count in range(1 + seed, len(bars) + 1, 7):
        Selections({"i": before}).save(path)
        before = judge(WISH, Selections.load(path).instances["i"], bars[:count])
        assert (before.state is S.ACTIVE) == active[count - 1]


def test_the_future_changes_nothing_that_was_decided() -> None:
    bars = bars_of("random", 5, 400)
    whole = timeline(WISH, bars)
    for count in (1, 30, 111, 399):
        np.testing.assert_array_equal(timeline(WISH, bars[:count]), whole[:count])


# -- the file


def reader_in(root: Path) -> tuple[TradingStateReader, list[str]]:
    """A gateway's reader, and what it alerts of."""
    told: list[str] = []

    class Alerts:
        def alert(self, kind: str, text: str) -> None:
            told.append(kind)

    return TradingStateReader(Home(root), "a", Alerts()), told  # type: ignore[arg-type]


def select(root: Path, state: TradingState) -> None:
    Selections({"i": Selected.before_any_bar(WISH)._replace(state=state)}).save(Home(root).selection)


def test_without_a_file_nothing_is_selected(tmp_path: Path) -> None:
    reader, told = reader_in(tmp_path)
    assert reader.of_instance("i") is S.ACTIVE
    assert reader.of_instances(["i"]) == {}
    assert told == []


def test_who_is_to_be_selected_opens_nothing_while_the_disk_refuses_the_first_file(tmp_path: Path) -> None:
    selecting = ["i"]
    reader = TradingStateReader(Home(tmp_path), "a", reader_in(tmp_path)[0], lambda: selecting)  # type: ignore[arg-type]
    assert reader.of_instance("i") is S.REDUCING
    assert reader.of_instances(["i", "j"]) == {"i": S.REDUCING}
    assert reader.selected_out(["i", "j"]) == ["i"]
    assert reader.of_instance("j") is S.ACTIVE
    select(tmp_path, S.ACTIVE)
    assert reader.of_instance("i") is S.ACTIVE
    selecting.append("j")  # by a reload whose first write is refused
    assert reader.of_instances(["i", "j"])["j"] is S.REDUCING


def test_a_gateway_obeys_a_selection_as_soon_as_it_is_written(tmp_path: Path) -> None:
    reader, _ = reader_in(tmp_path)
    for state in (S.REDUCING, S.ACTIVE, S.REDUCING):
        select(tmp_path, state)
        assert reader.of_instance("i") is state
        assert reader.of_instances(["i", "j"])["i"] is state
        assert ("i" in reader.selected_out(["i", "j"])) is (state is S.REDUCING)
    assert reader.of_instance("j") is S.ACTIVE
    assert reader.of_account() is S.ACTIVE


@pytest.mark.parametrize("selected", [S.ACTIVE, S.REDUCING])
@pytest.mark.parametrize("scope", ["fleet", "account:a", "instance:i"])
@pytest.mark.parametrize("by_people", [S.REDUCING, S.FLATTENING, S.HALTED])
def test_what_people_set_wins(tmp_path: Path, selected: S, scope: str, by_people: S) -> None:
    reader, _ = reader_in(tmp_path)
    TradingStates().with_state(scope, by_people).save(Home(tmp_path).trading_states)
    select(tmp_path, selected)
    assert reader.of_instance("i") is by_people
    if scope == "instance:i":
        assert reader.of_instances(["i"])["i"] is by_people


def test_a_selection_never_closes_anything(tmp_path: Path) -> None:
    reader, _ = reader_in(tmp_path)
    select(tmp_path, S.REDUCING)
    assert not reader.flattening("i")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version": 2, "instances": {}}',
        '{"version": 1}',
        '{"version": 1, "instances": {"i": {"state": "ACTIVE"}}}',
        '{"version": 1, "instances": {"i": 1}}',
        '{"version": 1, "instances": {"i": {"state": "HALTED", "since_ns": 0, "bar_ns": 0, "held": 0, "pending": 0,'
        ' "told_ns": 0, "reason": "", "condition": ""}}}',
        '{"version": 1, "instances": {"i": {"state": "ACTIVE", "since_ns": "x", "bar_ns": 0, "held": 0, "pending": 0,'
        ' "told_ns": 0, "reason": "", "condition": ""}}}',
    ],
)
def test_a_damaged_selection_lets_nobody_open_until_it_is_written_again(tmp_path: Path, content: str) -> None:
    reader, told = reader_in(tmp_path)
    path = Home(tmp_path).selection
    path.parent.mkdir()
    path.write_text(content)
    assert reader.of_instance("i") is S.REDUCING
    assert reader.of_instances(["i"]) == {"i": S.REDUCING}
    assert told == ["selection-damaged"]
    assert str(path) in Selections.load(path).damage
    select(tmp_path, S.ACTIVE)
    assert reader.of_instance("i") is S.ACTIVE
