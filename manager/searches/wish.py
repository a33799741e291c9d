"""What somebody wishes to be searched, as the command line says it and the file of trials keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from atrader.clock import parse_time
from atrader.configuration.base import DurationS
from atrader.errors import ConfigError, StoreError
from manager.backtests.request import MAX_GAP_S, Engine, parse_parameters
from research.optimisation.figures import Aim
from research.optimisation.windows import Split, WalkForward

Method = Literal["grid", "random", "tpe", "nsga2"]

USUAL_SHARE: Final = 0.7
"""Share of the days to choose on when nothing is said."""
_DAY_S: Final = 86_400.0
_DURATION: Final[TypeAdapter[float]] = TypeAdapter(DurationS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What is chosen on and judged on, as texts of the command line; None: not said."""

    split: str | None = None
    train: str | None = None
    test: str | None = None
    anchored: bool = False
    purge: str | None = None
    embargo: str | None = None

    @property
    def is_said(self) -> bool:
        """Whether anything is."""
        return self != Judging()

    def rule(self) -> Split | WalkForward:
        """Return the rule that cuts days into windows.

        Raises
        ------
        ConfigError
            When a text means nothing, or two do not go together; names the option.
        """
        purge, embargo = _days("--purge", self.purge), _days("--embargo", self.embargo)
        if self.train is None and self.test is None:
            if self.anchored:
                raise ConfigError("--anchored is for a walk forward: give --train and --test as well")
            return replace(_split(self.split), purge_days=purge, embargo_days=embargo)
        if self.split is not None:
            raise ConfigError("--split cuts once, --train and --test cut again and again: give one or the other")
        if self.train is None or self.test is None:
            raise ConfigError("a walk forward needs both --train and --test, such as --train 180d --test 30d")
        return WalkForward(
            train_days=_days("--train", self.train),
            test_days=_days("--test", self.test),
            is_anchored=self.anchored,
            purge_days=purge,
            embargo_days=embargo,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchWish:
    """A search.

    Attributes
    ----------
    what : str
        A configured instance, a strategy file (``.toml``), or a strategy as configuration names it.
    vary : Mapping of str to str
        Values to be tried, by parameter.
    parameters : sequence of str
        ``NAME=VALUE`` that stay.
    constraints : sequence of str
        Conditions such as ``fast < slow``.
    trials : int or None
        Sets to try; None: the whole grid.
    aims : sequence of Aim
        What a search that learns looks for.
    unlimited : bool
        Without the limits of account and instance, without chance, and whatever the market is like.
    """

    what: str
    vary: Mapping[str, str]
    parameters: Sequence[str] = ()
    constraints: Sequence[str] = ()
    instrument: str | None = None
    timeframe: str | None = None
    account: str | None = None
    balance: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    max_gap_s: float = MAX_GAP_S
    quotes: str | None = None
    engine: Engine | None = None  # None: the vector engine where it can do everything that is asked for
    unlimited: bool = False
    method: Method = "grid"
    trials: int | None = None
    seed: int = 0
    aims: Sequence[Aim] = ("sharpe",)
    judging: Judging = field(default_factory=Judging)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> SearchWish:
        """Return what `as_json` made, of the file of trials at a path.

        Raises
        ------
        StoreError
            When another version made it, whose searches have other options.
        """
        try:
            return cls(**{**values, "judging": Judging(**values["judging"])})
        except (TypeError, KeyError) as error:
            raise StoreError(
                f"{path} was written by another version of atrader ({error}): run the release that wrote it, or begin"
                " the search anew"
            ) from error

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises
        ------
        ConfigError
            Naming them.
        """
        learns = self.method in ("tpe", "nsga2")
        varied = {name.replace("-", "_") for name in self.vary}
        if both := sorted(varied & set(parse_parameters(self.parameters))):
            raise ConfigError(f"--param {both[0]}: it cannot stay and vary; leave out one of --param and --{both[0]}")
        if self.method == "grid" and self.trials is not None:
            raise ConfigError("--trials: a grid tries everything; --method random or tpe takes a number of trials")
        if self.method != "grid" and self.trials is None:
            raise ConfigError(f"--method {self.method} needs --trials: how many sets it may try")
        if self.method != "nsga2" and len(self.aims) > 1:
            raise ConfigError("--aim: several are for --method nsga2")
        if learns and isinstance(self.judging.rule(), WalkForward):
            raise ConfigError(
                f"--method {self.method} learns from days that earlier windows of a walk forward are judged on: use"
                " --method grid or random, or one --split"
            )


def _split(text: str | None) -> Split:
    if text is None:
        return Split(share=USUAL_SHARE)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        try:
            return Split(at_ns=parse_time(text))
        except ValueError as error:
            raise ConfigError(f"--split {text!r}: expected a date, or a share such as 0.7 or 70%") from error
    if not 0 < share < 1:
        raise ConfigError(f"--split {text}: expected a date, or a share between 0 and 1 such as 0.7 or 70%")
    return Split(share=share)


def _days(option: str, text: str | None) -> float:
    try:
        return 0.0 if text is None else _DURATION.validate_python(text) / _DAY_S
    except ValidationError as error:
        raise ConfigError(f"{option} {text!r}: expected a length such as 180d or 12h") from error
