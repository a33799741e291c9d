"""What a worker decided on: each of its lives, and each bar it was given, in a file of its own.

For `atrader replay-diff`, which runs a day again and has to know what the worker knew. One line for a life, one or two
short ones a bar (some 45 bytes each), outside of a replay in turns also one for each order and trade it heard of;
nothing is synced and nobody waits. The file is set aside when it has grown large, and those set aside before are
forgotten: but for what belongs to the life that still runs, which cannot be run again without its begin.
"""

from __future__ import annotations

import base64
import contextlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from atrader.clock import NS_PER_S
from atrader.market import Bar, Bars, Tick
from atrader.orders.model import Order, Trade

_LARGE: Final = 32 << 20  # bytes: a year of minutes, or some ten thousand trades
_ASIDE: Final = 3  # files of one life: who runs a day again has all of them in memory
_OLD_SUFFIX: Final = ".before"  # of the only one that an older release kept
_pack: Final = struct.Struct("<q9d").pack


class Life(BaseModel):
    """A worker as it began.

    Attributes
    ----------
    market_ns : int
        Market time; 0 in a replay that has not begun.
    strategy, code, program : str
        What configuration named, a fingerprint of its file, and the version of atrader.
    parameters : dict
        As configured.
    window : int
        Bars it looks back on.
    bar_ns : int
        Open time of the last bar that the life before handled; 0: there was none.
    newest_ns : int
        Open time of the newest complete bar then; 0: there was none.
    n : int
        Highest number of an intent so far.
    state : dict
        The strategy's own, from the checkpoint.
    pending : list of dict
        Intents that the life before left to be handed over.
    instance, account : dict
        Their configuration; of the account what decides about orders (`account_settings`). Empty: of an older release.
    risk_day : str
        What limits of the account were measured from, as the gateway keeps it (`RiskDay`, JSON); empty: nothing was.
    files : dict of str to str
        What the strategy goes on from besides its state, by path as it is named: base64 of the compressed content.
    """

    model_config = ConfigDict(frozen=True)

    market_ns: int
    strategy: str
    code: str
    program: str
    instrument: str
    timeframe: str
    parameters: dict[str, Any]
    window: int
    bar_ns: int
    newest_ns: int
    n: int
    state: dict[str, Any]
    pending: list[dict[str, Any]]
    instance: dict[str, Any] = {}
    account: dict[str, Any] = {}
    risk_day: str = ""
    files: dict[str, str] = {}


class SeenBar(NamedTuple):
    """A bar as a worker had it.

    Attributes
    ----------
    crc : int
        Of its values, see `bar_crc`.
    host_ns : int
        When it was handled, by the host's clock; 0: it was part of the warm-up.
    bid, ask : float
        The last price that the strategy was told while it decided; 0: it did not ask.
    """

    open_time_ns: int
    crc: int
    host_ns: int
    bid: float = 0.0
    ask: float = 0.0


class AskedPrice(NamedTuple):
    """A price that a strategy asked for between two bars, after so many decisions had begun; market time, UTC ns."""

    time_ns: int
    bid: float
    ask: float
    place: int = 0


class PassedOver(NamedTuple):
    """Quotes after one time and before another that the worker never handled: it was busy; market time, UTC ns."""

    after_ns: int
    before_ns: int


class Decided(NamedTuple):
    """A bar as its decision began.

    Attributes
    ----------
    equity : Decimal
        As the worker knew it then; account currency.
    quote_ns : int or None
        Time of the last quote that it had handled, UTC ns, 0 before the first; None: it does not listen to quotes.
    """

    open_time_ns: int
    equity: Decimal
    quote_ns: int | None = None


class Heard(NamedTuple):
    """What a worker heard of its account.

    Attributes
    ----------
    time_ns : int
        When, by its clock; 0: it was there as the life began.
    item : Order or Trade
        As it was told.
    place : int
        How many decisions had begun.
    is_inside : bool
        Whether the last of them was not over: most of it are answers to what it wanted.
    quote_ns : int or None
        As in `Decided`.
    """

    time_ns: int
    item: Order | Trade
    place: int
    is_inside: bool
    quote_ns: int | None = None


class Session(NamedTuple):
    """A life, the bars it had, the prices it asked for between them, its decisions, what it heard and what it did not.

    Each in its order. All but the bars are noted outside of replays in turns only: where nobody can work them out
    again.
    """

    life: Life
    bars: list[SeenBar]
    asked: list[AskedPrice]
    decided: list[Decided]
    heard: list[Heard]
    passed_over: list[PassedOver]

    @classmethod
    def of(cls, life: Life) -> Session:
        """Return one of which nothing more is known."""
        return cls(life, [], [], [], [], [])


def bar_crc(bar: Bar) -> int:
    """Return the checksum of a bar's time and values."""
    return zlib.crc32(_pack(*bar))


class SessionFile:
    """Written by one worker.

    Without room on the disk, or of what is no text, nothing is written: nobody must fail for his diary.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._size = 0  # of the file, bytes
        self._began_ns: int | None = None  # the life that is written
        self._aside = 0  # files that were set aside since it began
        self._asked_ns = 0
        self._ahead = ""  # written with the next line

    def begin(self, life: Life, bars: Bars) -> None:
        """Note a new life with its warm-up."""
        with _undisturbed():
            lines = [f"\nL {life.model_dump_json()}\n"]  # first: bars without their life would be another's
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
            self._began_ns, self._aside = life.market_ns, 0
            rows = (bars.row(number) for number in range(len(bars)))
            lines += [f"B {bar.open_time_ns} {bar_crc(bar):08x} 0\n" for bar in rows]
            self._write("".join(lines))

    def handled(self, bar: Bar, host_ns: int, told: Tick | None = None) -> None:
        """Note a bar that was handled, and the price that was told meanwhile; in the file when this returns."""
        with _undisturbed():
            price = "" if told is None else f" {told.bid!r} {told.ask!r}"
            self._write(f"B {bar.open_time_ns} {bar_crc(bar):08x} {host_ns}{price}\n")

    def asked(self, time_ns: int, tick: Tick, *, acted: bool = False) -> None:
        """Note a quote between two bars that a strategy acted on, or whose price it asked for.

        Of those that it only asked for one in a second of market time.
        """
        if acted or time_ns - self._asked_ns >= NS_PER_S:
            self._asked_ns = time_ns
            with _undisturbed():
                self._write(f"Q {time_ns} {tick.bid!r} {tick.ask!r}\n")

    def passed_over(self, after_ns: int, before_ns: int) -> None:
        """Note that quotes between two times, if there were any, were not handled."""
        with _undisturbed():
            self._write(f"S {after_ns} {before_ns}\n")

    def deciding(self, open_time_ns: int, equity: Decimal, quote_ns: int | None = None) -> None:
        """Note that the decision of a bar begins, see `Decided`; in the file with what comes next."""
        last = "" if quote_ns is None else f" {quote_ns}"
        self._ahead = f"D {open_time_ns} {equity}{last}\n"

    def heard(self, time_ns: int, items: Iterable[Order | Trade], quote_ns: int | None = None) -> None:
        """Note orders and trades that the worker hears of, see `Heard`."""
        last = "" if quote_ns is None else f"{quote_ns} "
        with _undisturbed():
            said = ((type(one).__name__, one.model_dump_json(exclude_defaults=True)) for one in items)
            if text := "".join(f"N {time_ns} {what} {last}{values}\n" for what, values in said):
                self._write(text)

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _write(self, text: str) -> None:
        """Write whole lines, or none of them where there is no room for all: half a number is another number."""
        if self._fd is not None and self._size > _LARGE:
            self._open()
        text, self._ahead = self._ahead + text, ""
        if self._fd is None:
            return
        record = text.encode()
        written = os.write(self._fd, record)
        if written < len(record):
            os.ftruncate(self._fd, self._size)
        else:
            self._size += written

    def _open(self) -> None:
        """Open the file, a new one where the old one is large."""
        if self._path.exists() and self._path.stat().st_size > _LARGE:
            self.close()
            before = _set_aside(self._path)
            newest = int(before[-1].suffix[1:]) if before and before[-1].suffix != _OLD_SUFFIX else 0
            os.replace(self._path, self._path.with_name(f"{self._path.name}.{newest + 1:06d}"))
            if self._began_ns is not None:
                self._aside += 1
                self._ahead = f"C {self._began_ns}\n{self._ahead}"
            kept = min(max(self._aside, 1), _ASIDE)
            for one in before[: max(len(before) + 1 - kept, 0)]:
                one.unlink(missing_ok=True)
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size


def _undisturbed() -> AbstractContextManager[None]:
    return contextlib.suppress(OSError, ValueError)  # of text that cannot be encoded, pydantic raises the latter


def read_sessions(path: Path) -> list[Session]:
    """Return the lives that are known, oldest first; a line that is not whole is passed over."""
    found: list[Session] = []
    is_known = False  # whose the lines are
    for line in chain.from_iterable(map(_lines, (*_set_aside(path), path))):
        kind, _, rest = line.partition(" ")
        with contextlib.suppress(ValueError, ValidationError, ArithmeticError):
            if kind == "L":
                is_known = False
                found.append(Session.of(Life.model_validate_json(rest)))
                is_known = True
            elif kind == "C":
                is_known = bool(found) and found[-1].life.market_ns == int(rest)
            elif is_known:
                _read_line(found[-1], kind, rest)
    return found


def forgotten_life(path: Path) -> int | None:
    """Return when the life began whose first lines were set aside too long ago to be kept; market time, UTC ns.

    It is older than those that `read_sessions` gives. None: there is none.
    """
    first = next(chain.from_iterable(map(_lines, (*_set_aside(path), path))), "")
    kind, _, rest = first.partition(" ")
    return int(rest) if kind == "C" and rest.isdecimal() else None


def _read_line(session: Session, kind: str, rest: str) -> None:
    if kind == "B":
        opened, crc, host, *prices = rest.split()
        bid, ask = map(float, prices or (0, 0))
        session.bars.append(SeenBar(int(opened), int(crc, 16), int(host), bid, ask))
    elif kind == "Q":
        time, bid_then, ask_then = rest.split()
        session.asked.append(AskedPrice(int(time), float(bid_then), float(ask_then), len(session.decided)))
    elif kind == "S":
        after, before = map(int, rest.split())
        session.passed_over.append(PassedOver(after, before))
    elif kind == "D":
        opened, equity, *last = rest.split()
        session.decided.append(Decided(int(opened), Decimal(equity), int(last[0]) if last else None))
    elif kind == "N":
        time, what, text = rest.split(" ", 2)
        quoted, text = (None, text) if text.startswith("{") else text.split(" ", 1)
        item = (Trade if what == "Trade" else Order).model_validate_json(text)
        handled = session.bars[-1].open_time_ns if session.bars and session.bars[-1].host_ns else 0
        is_inside = bool(session.decided) and handled < session.decided[-1].open_time_ns
        quote_ns = None if quoted is None else int(quoted)
        session.heard.append(Heard(int(time), item, len(session.decided), is_inside, quote_ns))


def packed_file(path: Path) -> str:
    """Return the content of a file as `Life.files` keeps it; empty when it cannot be read."""
    try:
        return base64.b64encode(zlib.compress(path.read_bytes())).decode()
    except OSError:
        return ""


def unpacked(text: str) -> bytes:
    """Return what `packed_file` packed."""
    return zlib.decompress(base64.b64decode(text))


def _set_aside(path: Path) -> list[Path]:
    """Return the files that were set aside, oldest first."""
    numbered = sorted(one for one in path.parent.glob(f"{path.name}.*") if one.suffix[1:].isdecimal())
    old = path.with_suffix(_OLD_SUFFIX)
    return [old, *numbered] if old.exists() else numbered


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except (FileNotFoundError, NotADirectoryError):
        return
