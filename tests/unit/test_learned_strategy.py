"""Models of scikit-learn: trained walk-forward, saved with their features, traded by a strategy that checks them."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.errors import ConfigError
from atrader.instruments import known_instrument
from atrader.market import Bars
from atrader.timeframes import Timeframe
from research.checking import check_signals
from research.learning import ESTIMATORS, Trained, mean_scores, train
from research.optimisation.windows import WalkForward
from tests.support.learned import (
    FEATURES,
    PAIR,
    Straight,
    header_of,
    place_learned,
    swinging,
    training,
)
from tests.support.made_bars import bars_of_closes
from tests.support.price_walks import walk
from worker.strategies.learned import model_file
from worker.strategies.learned.features import FEATURES as KINDS
from worker.strategies.learned.features import known_rows, matrix_of, memory_of, parse_feature
from worker.strategies.learned.model_file import TrainedWindow, read_estimators, read_header, write_model
from worker.strategies.learned.strategy import LearnedParameters

pytestmark = pytest.mark.unit

INSTRUMENT = known_instrument(PAIR)
COUNT = 2500


@pytest.fixture(scope="module")
def swings() -> Bars:
    return swinging(COUNT)


@pytest.fixture(scope="module")
def trained(swings: Bars) -> Trained:
    return train(swings, training())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    """Give a folder with a model of the swinging market."""
    root = tmp_path_factory.mktemp("home")
    write_model(root / "a.model", header_of(trained.windows), trained.estimators)
    return root


def window(usable_from_ns: int) -> TrainedWindow:
    return TrainedWindow(
        train_start_ns=0, train_end_ns=0, train_rows=100, train_up_frac=0.5, usable_from_ns=usable_from_ns
    )


# --- features


def test_the_worked_columns_of_the_features() -> None:
    # Highs and lows are 1 from the close, so true ranges are 2 after a change of at most 1, else the change and 1.
    bars = bars_of_closes([100.0, 102.0, 101.0, 104.0])
    found = matrix_of(("return-1", "return-2", "atr-2", "channel-2", "band-2", "ema-1", "day-cosine"), bars)
    assert known_rows(found).tolist() == [False, False, True, True]
    # Bar 3. Change 3 of 101; 2 of 102. ATR: (3 + 2) / 2 = 2.5, then (2.5 + 4) / 2 = 3.25. Channel of two bars: 100 to
    # 105, middle 102.5. Average of two closes 102.5, deviation 1.5. Three minutes after midnight: 3 / 1440 of a turn.
    assert found[3] == pytest.approx(
        [3 / 101, 2 / 102, 3.25 / 104, 1.5 / 5, 1.0, 0.0, np.cos(2 * np.pi * 3 / 1440)], abs=1e-12
    )
    flat = matrix_of(("channel-1", "band-2", "rsi-2"), bars_of_closes([100.0] * 4))
    assert flat[3].tolist() == [0.0, 0.0, -0.5], "no width, no place in it"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_feature_is_the_same_in_a_window_of_its_memory_as_over_all_bars(kind: str) -> None:
    name = f"{kind}-7" if KINDS[kind].shortest else kind
    bars = walk(1000)
    whole, memory = matrix_of((name,), bars)[:, 0], memory_of((name,))
    for end in range(900, 1000, 9):
        assert matrix_of((name,), bars[end - memory : end])[-1, 0] == pytest.approx(whole[end - 1], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["rsy-14", "rsi", "rsi-", "rsi-1", "rsi-2001", "day-sine-3", "rsi-2.5", ""])
def test_a_name_that_is_no_feature_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"feature '{name}'"):
        parse_feature(name)


# --- training


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_a_market_that_swings_is_foretold_on_bars_that_were_not_learned(estimator: str, swings: Bars) -> None:
    scores = mean_scores(train(swings[:1200], training(make=ESTIMATORS[estimator])).windows)
    assert scores is not None
    assert scores.accuracy_frac > 0.65
    assert scores.log_loss < scores.base_log_loss - 0.05


def test_a_random_walk_is_not_foretold() -> None:
    scores = mean_scores(train(walk(COUNT, seed=3), training()).windows)
    assert scores is not None
    assert abs(scores.accuracy_frac - 0.5) < 0.04
    assert scores.log_loss > scores.base_log_loss - 0.002


@pytest.mark.parametrize("horizon", [1, 12])
def test_an_estimator_knows_nothing_that_came_after_the_first_bar_it_may_be_asked_about(
    horizon: int, swings: Bars
) -> None:
    plan = training(horizon_bars=horizon)
    trained = train(swings, plan)
    second = trained.windows[1]
    cut = int(np.searchsorted(swings.open_time_ns, second.usable_from_ns))
    changed = walk(COUNT, seed=9)
    other = train(swings[:cut].append(changed[cut:]), plan)
    rows = matrix_of(FEATURES, swings)[50:200]
    same = [
        np.array_equal(one.predict_proba(rows), two.predict_proba(rows))
        for one, two in zip(trained.estimators, other.estimators, strict=True)
    ]
    assert same[:2] == [True, True]
    assert not any(same[2:]), "nothing after the cut mattered to anybody"


def test_anchored_windows_begin_with_the_first_bar_and_the_last_one_ends_with_the_last(swings: Bars) -> None:
    rolling, anchored = (
        train(swings, training(walk_forward=WalkForward(train_days=3, test_days=2, is_anchored=is_anchored)))
        for is_anchored in (False, True)
    )
    assert len({one.train_start_ns for one in anchored.windows}) == 1
    assert len({one.train_start_ns for one in rolling.windows}) == len(rolling.windows)
    for windows in (rolling.windows, anchored.windows):
        assert windows[-1].usable_from_ns > swings.open_time_ns[-1]
        assert windows[-1].train_end_ns == swings.open_time_ns[-2]
        assert windows[-1].scores is None


@pytest.mark.parametrize(
    ("bars", "changes", "says"),
    [
        (bars_of_closes([1.0] * 20), {}, "use up"),
        (walk(400), {}, "no window"),
        (bars_of_closes(list(np.arange(5000) / 1e4 + 1)), {"features": ("return-1",)}, "went one way"),
        (walk(COUNT), {"features": ("return-1", "rsi-nine")}, "feature 'rsi-nine'"),
        (walk(COUNT), {"features": tuple(f"return-{n}" for n in range(1, 40))}, "bars to learn from"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(bars: Bars, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        train(bars, training(**changes))


def test_every_window_is_told_as_progress(swings: Bars) -> None:
    told: list[tuple[int, int]] = []
    trained = train(swings[:1500], training(), lambda done, total: told.append((done, total)))
    count = len(trained.windows)
    assert told == [(done, count) for done in (*range(count - 1), count)]


# --- files


def test_a_model_is_read_as_it_was_written(home: Path, trained: Trained, swings: Bars) -> None:
    header = read_header(home / "a.model")
    assert header.features == FEATURES
    assert header.windows == trained.windows
    rows = matrix_of(FEATURES, swings)[100:110]
    for read, made in zip(read_estimators(home / "a.model", header), trained.estimators, strict=True):
        np.testing.assert_array_equal(read.predict_proba(rows), made.predict_proba(rows))


def test_the_same_training_writes_the_same_bytes(home: Path, swings: Bars, tmp_path: Path) -> None:
    again = train(swings, training())
    write_model(tmp_path / "b.model", header_of(again.windows), again.estimators)
    assert (tmp_path / "b.model").read_bytes() == (home / "a.model").read_bytes()


def test_a_write_that_fails_leaves_the_old_model_and_nothing_else(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    path.write_bytes((home / "a.model").read_bytes())
    with pytest.raises(AttributeError):  # what cannot be pickled
        write_model(path, header_of((window(0),)), [lambda: 0])  # type: ignore[list-item]
    assert read_header(path).features == FEATURES
    assert list(tmp_path.iterdir()) == [path]


def _rewritten(path: Path, **changes: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        header, rest = json.loads(archive.read("model.json")), archive.read("estimators.pickle")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", json.dumps({**header, **changes}))
        archive.writestr("estimators.pickle", rest)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": ["return-1", "rsy-5"]}, "feature 'rsy-5' is unknown"),
        ({"features_version": 0}, "features are of version 0.*train it again"),
        ({"library_version": "0.1"}, "trained with scikit-learn 0.1"),
        ({"format": 2}, "format: .*\n.*Train it again"),
        ({"surprise": 1}, "surprise"),
        ({"windows": []}, "windows"),
    ],
)
def test_a_model_of_something_else_is_refused(home: Path, tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    (tmp_path / "a.model").write_bytes((home / "a.model").read_bytes())
    _rewritten(tmp_path / "a.model", **changes)
    with pytest.raises(ConfigError, match=says) as caught:
        place_learned(tmp_path, {})
    assert "a.model" in str(caught.value)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (("rsi-5", "return-1"), "in another order"),
        (("return-1", "rsi-5", "atr-5"), "trained without atr-5"),
        (("return-1",), "trained with rsi-5 besides"),
        (("return-1", "rsi-6"), "trained without rsi-6 and with rsi-5 besides"),
    ],
)
def test_a_wrong_list_of_features_is_refused_and_says_what_differs(
    home: Path, features: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        place_learned(home, {"features": features})


def test_the_right_list_of_features_is_taken(home: Path) -> None:
    assert place_learned(home, {"features": FEATURES}).warmup_bars >= memory_of(FEATURES)


def test_a_feature_that_does_not_exist_is_a_wrong_parameter() -> None:
    with pytest.raises(ValueError, match="feature 'rsy-5' is unknown"):
        LearnedParameters(model="a.model", features=("rsy-5",))


def test_another_instrument_or_timeframe_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="trained on the instrument EUR/USD, this instance has USD/JPY"):
        place_learned(home, {}, instrument="USD/JPY")
    with pytest.raises(ConfigError, match="trained on the timeframe 5m, this instance has 1h"):
        place_learned(home, {}, timeframe="1h")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such model; 'atrader train' makes one"):
        place_learned(tmp_path, {})
    (tmp_path / "a.model").write_text("a poem")
    with pytest.raises(ConfigError, match="no model that 'atrader train' wrote"):
        place_learned(tmp_path, {})


def test_a_model_that_was_cut_off_or_changed_anywhere_is_refused_before_anything_of_it_runs(
    home: Path, tmp_path: Path
) -> None:
    whole, path = (home / "a.model").read_bytes(), tmp_path / "a.model"
    as_trained = read_header(home / "a.model")
    for place in (*range(0, len(whole), 17), *range(len(whole) - 200, len(whole))):  # the end says what is where
        for flip in (0x01, 0x08, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            try:
                assert read_header(path) == as_trained, place  # a byte that says nothing, as a time of the archive
                assert len(read_estimators(path, as_trained)) == len(as_trained.windows)
            except ConfigError as error:
                assert "no model that 'atrader train' wrote" in str(error)  # noqa: PT017 - both ways out are right
        path.write_bytes(whole[:place])
        with pytest.raises(ConfigError, match="no model that 'atrader train' wrote"):
            read_header(path)


def test_a_model_that_is_replaced_between_check_and_loading_is_refused(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    path.write_bytes((home / "a.model").read_bytes())
    strategy = place_learned(tmp_path, {})
    _rewritten(path, features=FEATURES[::-1])  # the columns of its estimators mean something else
    with pytest.raises(ConfigError, match="another model than when it was checked: start again"):
        strategy.load()


@pytest.mark.parametrize(
    ("estimator", "says"), [(Straight(3), "wants 3 features, the list has 2"), (7, "wants None features")]
)
def test_an_estimator_that_does_not_fit_the_list_of_features_is_refused(
    tmp_path: Path, estimator: Any, says: str
) -> None:
    write_model(tmp_path / "a.model", header_of((window(0),)), [estimator])
    with pytest.raises(ConfigError, match=says):
        place_learned(tmp_path, {}).load()


def test_a_file_without_an_estimator_for_each_window_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "a.model", header_of((window(0),)), [Straight(2)])
    _rewritten(tmp_path / "a.model", windows=[window(0).model_dump(), window(1).model_dump()])
    with pytest.raises(ConfigError, match="an estimator for each of its 2 windows"):
        place_learned(tmp_path, {}).load()


def test_estimators_that_cannot_be_loaded_are_a_wrong_configuration(home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.model", "w") as archive:
        archive.writestr("model.json", read_header(home / "a.model").model_dump_json())
        archive.writestr("estimators.pickle", b"not a pickle")
    with pytest.raises(ConfigError, match="estimators cannot be loaded"):
        place_learned(tmp_path, {}).load()


def test_without_scikit_learn_the_command_that_makes_a_model_and_the_extra_are_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    strategy = place_learned(home, {})
    monkeypatch.setattr(model_file, "version", missing)
    said = r"'atrader train' .*scikit-learn.*: pip install 'atrader-platform\[ml\]'"
    with pytest.raises(ConfigError, match=said):
        place_learned(home, {})
    with pytest.raises(ConfigError, match=rf"no such model; {said}"):
        place_learned(tmp_path, {})
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigError, match=r"pip install 'atrader-platform\[ml\]'"):
        strategy.load()


# --- trading


def test_the_worked_day_of_a_model(tmp_path: Path) -> None:
    # The probability of a rise is 0.5 + 10 x the change. It may be asked from bar 3 on, which is the third minute.
    # change:        +1 %   +2 %   +1 %   +1 %   0      -1 %   -0.5 % +1 %
    # probability:   -      -      0.6    0.6    0.5    0.4    0.45   0.6      (bars 3 to 8)
    # Bar 4 is above 0.55 as bar 3, the first one, was: no crossing. Bar 6 falls below 0.45: short. It is below 0.5: a
    # long would be closed. Bar 8 rises above 0.55: long, and the short is closed: a fall is at 0.4.
    # closes:        101    103.02 104.0502 105.090702 105.090702 104.03979498 ...
    # true range:    2      3.02   2.0302   2.040502   2          2.05090702
    # ATR:                  2.51   2.2701   2.155301   2.0776505  2.06427876
    changes = [0.01, 0.02, 0.01, 0.01, 0.0, -0.01, -0.005, 0.01]
    closes = [100.0]
    for change in changes:
        closes.append(closes[-1] * (1 + change))
    bars = bars_of_closes(closes)
    minute_ns = int(bars.open_time_ns[1])
    write_model(
        tmp_path / "a.model",
        header_of((window(3 * minute_ns),), features=("return-1",), timeframe="1m"),
        [Straight()],
    )
    strategy = place_learned(tmp_path, {"atr_period": 2, "enter_frac": 0.55}, timeframe="1m")
    signals = strategy.signals(bars, INSTRUMENT)
    assert signals.indicators is not None
    rise = signals.indicators["rise"]
    assert np.isnan(rise[:3]).all()
    assert rise[3:].tolist() == pytest.approx([0.6, 0.6, 0.5, 0.4, 0.45, 0.6])
    assert {int(row): int(signals.entry[row]) for row in np.flatnonzero(signals.entry)} == {6: -1, 8: 1}
    assert signals.exit[6] == 1
    assert signals.exit[8] == -1
    assert signals.stop_loss is not None
    assert signals.stop_loss[6] == pytest.approx(104.03979498 + 3 * 2.06427876, abs=1e-9)


def test_each_bar_is_decided_by_the_estimator_that_was_trained_before_it(home: Path, swings: Bars) -> None:
    strategy, header = place_learned(home, {}), read_header(home / "a.model")
    estimators, rows = read_estimators(home / "a.model", header), matrix_of(FEATURES, swings)
    rise = (strategy.signals(swings, INSTRUMENT).indicators or {})["rise"]
    first = int(np.searchsorted(swings.open_time_ns, header.windows[0].usable_from_ns))
    assert np.isnan(rise[:first]).all()
    assert np.isfinite(rise[first:]).all()
    for row in range(first, COUNT, 97):
        usable = [one.usable_from_ns <= swings.open_time_ns[row] for one in header.windows]
        expected = estimators[sum(usable) - 1].predict_proba(rows[row : row + 1])[0, 1]
        assert rise[row] == pytest.approx(expected, abs=1e-12)


def test_a_model_looks_at_no_future_and_its_warm_up_is_long_enough(home: Path, swings: Bars) -> None:
    strategy, frame = place_learned(home, {"filters": [{"kind": "regime", "adx_period": 5}]}), Timeframe.parse("5m")
    report = check_signals(strategy, swings, INSTRUMENT, frame, Calendar.get("fx"), sample=40)
    assert report.passed, report.findings
    assert np.count_nonzero(strategy.signals(swings, INSTRUMENT).entry) > 50


def test_what_is_not_placed_yet_does_not_know_its_warm_up() -> None:
    from worker.strategies.learned.strategy import Learned

    calls: list[Callable[[], object]] = [
        lambda: Learned(LearnedParameters(model="a.model")).warmup_bars,
        lambda: Learned(LearnedParameters(model="a.model")).signals(walk(300), INSTRUMENT),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=r"prepare\(\) comes first"):
            call()
