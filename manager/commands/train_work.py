"""What ``atrader train`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
from pydantic import TypeAdapter, ValidationError

from atrader.clock import iso_from_ns
from atrader.configuration.base import DurationS
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import ConfigError, StoreError
from atrader.extras import imported
from atrader.instruments import known_instrument
from atrader.market import Bars
from atrader.market_checks import check_bars
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from manager.commands.output import print_json
from manager.commands.progress import CountColumn, counting
from manager.commands.tables import Column, print_rows
from manager.places import require_writable
from research.learning import ESTIMATORS, Trained, Training, mean_scores, train
from research.optimisation.windows import WalkForward
from worker.strategies.learned.features import parse_feature
from worker.strategies.learned.model_file import EXTRA, LIBRARY, ModelHeader, TrainedWindow, write_model

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainWish:
    """What the command line says; ``model`` is absolute."""

    model: Path
    instrument: str
    timeframe: str
    features: str
    horizon: int
    train: str
    test: str
    is_anchored: bool
    estimator: str
    period: tuple[int | None, int | None]
    replace: bool
    as_json: bool


def run_training(home: Home, wish: TrainWish) -> None:
    """Train, save, and show how each estimator did on the bars after its training.

    Blocks until it is done. The model is whole on disk when this returns; it may be repeated with ``--replace``.

    Raises
    ------
    ConfigError
        When an option is wrong, bars are missing, or there is too little to learn from.
    StoreError
        When the store cannot be read, or the model not written.
    """
    _check_place(wish)
    imported("sklearn", EXTRA, "training needs scikit-learn")
    training, timeframe = _training(wish), Timeframe.given(wish.timeframe).name
    bars = _bars(home, wish, timeframe)
    trained = _train(bars, training, wish)
    header = ModelHeader(
        instrument=wish.instrument,
        timeframe=timeframe,
        features=training.features,
        horizon_bars=wish.horizon,
        estimator=wish.estimator,
        library_version=version(LIBRARY),
        windows=trained.windows,
    )
    try:
        write_model(wish.model, header, trained.estimators)
    except OSError as error:
        raise StoreError(f"{wish.model}: the model cannot be written: {error}") from error
    if wish.as_json:
        mean = mean_scores(trained.windows)
        print_json(
            {
                "model": str(wish.model),
                "bars": len(bars),
                **header.model_dump(),
                "scores": None if mean is None else mean.model_dump(),
            }
        )
    else:
        _show(wish, len(bars), trained)


def _check_place(wish: TrainWish) -> None:
    """Refuse a file that could not be written after hours of training."""
    if wish.model.exists() and not wish.replace:
        raise ConfigError(f"{wish.model} is there already: give another name, or --replace")
    require_writable(wish.model.parent)


def _training(wish: TrainWish) -> Training:
    features = tuple(name for name in (part.strip() for part in wish.features.split(",")) if name)
    if not features:
        raise ConfigError("--features: name at least one, such as rsi-14")
    for name in features:
        parse_feature(name)
    if len(set(features)) < len(features):
        raise ConfigError("--features: one is named twice")
    walk_forward = WalkForward(
        train_days=_days("--train", wish.train), test_days=_days("--test", wish.test), is_anchored=wish.is_anchored
    )
    return Training(
        features=features, horizon_bars=wish.horizon, walk_forward=walk_forward, make=ESTIMATORS[wish.estimator]
    )


def _days(option: str, text: str) -> float:
    try:
        return TypeAdapter(DurationS).validate_python(text) / _DAY_S
    except ValidationError as error:
        raise ConfigError(f"{option} {text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _bars(home: Home, wish: TrainWish, timeframe: str) -> Bars:
    fleet = load_fleet(home.root)
    known_instrument(wish.instrument, fleet.instruments)
    with open_market(home, fleet) as market:
        bars = market.bars(wish.instrument, timeframe, start_ns=wish.period[0], end_ns=wish.period[1])
    if not len(bars):
        raise ConfigError(
            f"no {timeframe} bars of {wish.instrument} are stored for the period; 'atrader data list' shows what is"
        )
    check_bars(bars, f"{wish.instrument} {timeframe}")
    return bars


def _train(bars: Bars, training: Training, wish: TrainWish) -> Trained:
    with counting("windows", CountColumn(), silent=wish.as_json) as progress:
        return train(bars, training, progress)


def _show(wish: TrainWish, bars: int, trained: Trained) -> None:
    mean = mean_scores(trained.windows)
    rows = [_row(window) for window in trained.windows]
    if mean is not None:
        rows.append({"asked": "all", **mean.model_dump()})
    print_rows(_COLUMNS, rows, empty="no windows")
    click.echo(f"{bars:,} bars of {wish.instrument}; kept in {wish.model}")
    if mean is not None and mean.log_loss >= mean.base_log_loss:
        click.secho("It foretells nothing: whoever only knows how often prices rise loses less.", fg="yellow")


def _row(window: TrainedWindow) -> dict[str, Any]:
    """Return a window as a row: dates, and its scores beside them."""
    return {
        "asked": iso_from_ns(window.usable_from_ns)[:10],
        "learned": iso_from_ns(window.train_start_ns)[:10],
        "train_rows": window.train_rows,
        **({} if window.scores is None else window.scores.model_dump()),
    }


def _percent(value: Any, row: Mapping[str, Any]) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _loss(value: Any, row: Mapping[str, Any]) -> str:
    return "" if value is None else f"{value:.4f}"


_COLUMNS: Final = (
    Column("asked", "asked from"),
    Column("learned", "learned from", rank=2),
    Column("train_rows", "learned bars", rank=3, right=True),
    Column("rows", "judged bars", rank=1, right=True),
    Column("up_frac", "rose", right=True, cell=_percent),
    Column("accuracy_frac", "foretold", right=True, cell=_percent),
    Column("log_loss", "loss", right=True, cell=_loss),
    Column("base_log_loss", "base loss", right=True, cell=_loss),
)
