"""Model files: estimators that were trained one after the other, and what has to be known to use them.

One zip archive: ``model.json`` says what the model is and is read without running anything; ``estimators.pickle`` holds
the estimators. Unpickling runs code of the file: a model is to be trusted like a strategy's Python file.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from atrader.configuration.base import Section
from atrader.errors import ConfigError
from atrader.extras import imported
from worker.strategies.arrays import FloatArray
from worker.strategies.learned.features import VERSION, memory_of

FORMAT: Final = 1
LIBRARY: Final = "scikit-learn"
EXTRA: Final = "ml"
_INSTALL: Final = f"pip install 'atrader-platform[{EXTRA}]'"
_HEADER, _ESTIMATORS = "model.json", "estimators.pickle"
_WHEN: Final = (1980, 1, 1, 0, 0, 0)  # in the archive: the same training writes the same bytes


class Estimator(Protocol):
    """What a model needs of a classifier of scikit-learn."""

    n_features_in_: int

    def predict_proba(self, rows: FloatArray) -> NDArray[np.float64]:
        """Return the probability of each outcome, shape (rows, 2): down, up."""


class Scores(Section):
    """How a window's estimator did on bars it had not seen.

    Attributes
    ----------
    rows : int
        Bars whose outcome is known and is no tie.
    up_frac : float
        Share of them after which the price was higher.
    accuracy_frac : float
        Share of them that was foretold.
    log_loss, base_log_loss : float
        Mean logarithmic loss, and that of always saying how often the price rose in the training.
    """

    rows: int
    up_frac: float
    accuracy_frac: float
    log_loss: float
    base_log_loss: float


class TrainedWindow(Section):
    """One estimator: what it was trained on, and from which bar on it may be asked.

    Attributes
    ----------
    train_start_ns, train_end_ns : int
        Open times of the first and the last bar it was trained on, UTC ns.
    train_rows : int
        How many bars that were.
    train_up_frac : float
        Share of them after which the price was higher.
    usable_from_ns : int
        Open time of the first bar at which everything that it was trained on was known, UTC ns.
    scores : Scores or None
        On the bars up to the next window; None: the last one, there are none yet.
    """

    train_start_ns: int
    train_end_ns: int
    train_rows: int
    train_up_frac: float
    usable_from_ns: int
    scores: Scores | None = None


class ModelHeader(Section):
    """What a model is. ``features_version`` is `features.VERSION` of the training, ``horizon_bars`` how far it sees."""

    format: Literal[1] = FORMAT
    instrument: str
    timeframe: str
    features: tuple[str, ...]
    features_version: int = VERSION
    horizon_bars: int
    estimator: str
    library_version: str
    windows: Annotated[tuple[TrainedWindow, ...], Field(min_length=1)]


def write_model(path: Path, header: ModelHeader, estimators: Sequence[Estimator]) -> None:
    """Write a model; the file is whole on disk when this returns, and nothing is left of an attempt that failed.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    if len(estimators) != len(header.windows):
        raise ValueError(f"expected an estimator for each of {len(header.windows)} windows, was {len(estimators)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(zipfile.ZipInfo(_HEADER, _WHEN), header.model_dump_json(indent=1))
                archive.writestr(zipfile.ZipInfo(_ESTIMATORS, _WHEN), pickle.dumps(list(estimators), protocol=5))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_header(path: Path) -> ModelHeader:
    """Read what a model is; no code of the file is run.

    Raises
    ------
    ConfigError
        When there is no such file, it is no model, cut off or changed since it was written, or of another format.
    """
    return _header_of(path, _content(path)[0])


def _content(path: Path) -> tuple[bytes, bytes]:
    """Read header and estimators of one and the same file, both as their checksums say they were written."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(_HEADER), archive.read(_ESTIMATORS)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such model; 'atrader train' makes one{_needing()}") from error
    except Exception as error:  # a damaged archive fails in any way, as one that is encrypted or of a later release
        raise ConfigError(f"{path}: this is no model that 'atrader train' wrote, or not all of it: {error}") from error


def _needing() -> str:
    """Return what is to be installed before a model can be made or used, in brackets; nothing where it is."""
    try:
        version(LIBRARY)
    except PackageNotFoundError:
        return f" (it needs {LIBRARY}: {_INSTALL})"
    return ""


def _header_of(path: Path, text: bytes) -> ModelHeader:
    try:
        return ModelHeader.model_validate_json(text)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc'])) or _HEADER}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join([*lines, f"{path}: of another release of atrader? Train it again"])) from error


def check_usable(path: Path, header: ModelHeader) -> None:
    """Check that what is installed here computes what the model was trained on.

    Raises
    ------
    ConfigError
        When a feature is unknown or means something else by now, or scikit-learn is missing or another one.
    """
    if header.features_version != VERSION:
        raise ConfigError(
            f"{path}: its features are of version {header.features_version}, here they are of version"
            f" {VERSION}: train it again"
        )
    try:
        memory_of(header.features)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        installed = version(LIBRARY)
    except PackageNotFoundError as error:
        raise ConfigError(
            f"{path}: a model of 'atrader train' needs {LIBRARY}, which is not installed here: {_INSTALL}"
        ) from error
    if installed != header.library_version:
        raise ConfigError(
            f"{path}: it was trained with {LIBRARY} {header.library_version}, here is {installed}, which may read it as"
            f" something else: train it again, or pip install {LIBRARY}=={header.library_version}"
        )


def read_estimators(path: Path, header: ModelHeader) -> list[Estimator]:
    """Load the estimators of a model that was found usable. Runs code of the file; seconds, for scikit-learn itself.

    Raises
    ------
    ConfigError
        When they cannot be loaded, or do not fit the header; when the file is another one than that of the header.
    """
    imported("sklearn", EXTRA, f"{path}: a model of 'atrader train' needs {LIBRARY}")
    text, estimators = _content(path)
    if _header_of(path, text) != header:
        raise ConfigError(f"{path}: this is another model than when it was checked: start again")
    try:
        found: Any = pickle.loads(estimators)
    except Exception as error:  # unpickling runs what the file says, which may fail in any way
        raise ConfigError(f"{path}: its estimators cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, list) or len(found) != len(header.windows):
        raise ConfigError(f"{path}: it does not hold an estimator for each of its {len(header.windows)} windows")
    for estimator in found:
        width = getattr(estimator, "n_features_in_", None)
        if width != len(header.features):
            raise ConfigError(f"{path}: an estimator wants {width} features, the list has {len(header.features)}")
    return cast(list[Estimator], found)
