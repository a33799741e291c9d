"""``atrader train``: a model for the strategy ``scikit-learn``."""

from __future__ import annotations

from pathlib import Path

import click

from manager.commands.installed import home_of
from manager.commands.output import json_option
from manager.commands.periods import end_option, period_ns, start_option

_FEATURES = "return-1,return-12,rsi-14,band-20,channel-50,atr-14,di-14,day-sine,day-cosine"
_ESTIMATORS = ("logistic", "boosting")  # as research.learning has them, which imports numpy


@click.command()
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--instrument", required=True, help="Whose bars are learned from; only it is traded with the model.")
@click.option("--timeframe", required=True, help="Of the bars.")
@click.option("--features", default=_FEATURES, show_default=True, help="What the model sees of them, with commas.")
@click.option(
    "--horizon", type=click.IntRange(1, 10_000), default=12, show_default=True, help="Bars ahead: is the close higher?"
)
@click.option("--train", default="365d", show_default=True, help="Learn from so long a time, ...")
@click.option("--test", default="30d", show_default=True, help="... use it for so long after, then move on by that.")
@click.option("--anchored", is_flag=True, help="Learn from everything since the first bar instead.")
@click.option("--estimator", type=click.Choice(_ESTIMATORS), default="logistic", show_default=True)
@start_option
@end_option
@click.option("--replace", is_flag=True, help="MODEL may be there already.")
@json_option
@click.pass_obj
def train(
    directory: Path,
    model: Path,
    instrument: str,
    timeframe: str,
    features: str,
    horizon: int,
    train: str,
    test: str,
    anchored: bool,
    estimator: str,
    start: str | None,
    end: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Train a classifier of scikit-learn walk-forward over stored bars, for the strategy 'scikit-learn'.

    MODEL is the file to write, such as models/eurusd.model; relative to the installation. It holds an estimator for
    each window and one for what comes now, with its list of features. Workers take it at their next start.
    """
    from manager.commands.train_work import TrainWish, run_training  # numpy: not for --help and completion

    home = home_of(directory)
    wish = TrainWish(
        model=home.root / model,
        instrument=instrument,
        timeframe=timeframe,
        features=features,
        horizon=horizon,
        train=train,
        test=test,
        is_anchored=anchored,
        estimator=estimator,
        period=period_ns(start, end),
        replace=replace,
        as_json=as_json,
    )
    run_training(home, wish)
