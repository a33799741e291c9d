"""The installation directory: where everything lives. Pure paths, nothing is created here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SOCKET_PATH_LIMIT = 107  # bytes of sun_path without its terminator, unix(7)
_LONGEST_SOCKET_NAME = 60  # "/gateway." + 40 characters of a name + ".stream", rounded up


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside one installation directory (``etc/ data/ log/ run/``)."""

    root: Path

    @property
    def etc(self) -> Path:
        """Configuration."""
        return self.root / "etc"

    @property
    def data(self) -> Path:
        """Stores, journals, checkpoints."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """Log files, one per process."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Locks, pid files and sockets of the running fleet (mode 0700)."""
        return self.root / "run"

    def journal(self, account: str) -> Path:
        """Order journal of an account's gateway."""
        return self.data / "journal" / f"{account}.db"

    def take_over(self, account: str) -> Path:
        """Open trades of an old installation that the gateway of an account takes over."""
        return self.data / "take-over" / f"{account}.json"

    def paper(self, account: str) -> Path:
        """Book of a paper account: the 'broker side', apart from the gateway's journal."""
        return self.data / "paper" / f"{account}.db"

    def checkpoint(self, instance: str) -> Path:
        """Checkpoint of a strategy instance."""
        return self.data / "checkpoints" / f"{instance}.json"

    def worker_outbox(self, instance: str) -> Path:
        """Signals and incidents of a strategy instance that the history does not have yet."""
        return self.data / "outbox" / f"worker-{instance}.jsonl"

    def session(self, instance: str) -> Path:
        """Lives and bars of the worker of a strategy instance."""
        return self.data / "sessions" / f"{instance}.session"

    @property
    def replay_position(self) -> Path:
        """How far a replay is."""
        return self.data / "replay.position"

    @property
    def market_store(self) -> Path:
        """Bars and ticks."""
        return self.data / "market.db"

    @property
    def history_store(self) -> Path:
        """Orders, fills, trades, signals, events."""
        return self.data / "history.db"

    @property
    def archive(self) -> Path:
        """Parquet files with old rows of the history."""
        return self.data / "archive"

    @property
    def images(self) -> Path:
        """Copies of long series, made by whoever read them; may be deleted at any time."""
        return self.data / "images"

    @property
    def trading_states(self) -> Path:
        """Trading states (kill switch) as a file that every gateway reads."""
        return self.data / "trading-states.json"

    @property
    def selection(self) -> Path:
        """Which instances may open because of their market: written by the manager, read by every gateway."""
        return self.data / "selection.json"

    @property
    def sockets(self) -> Path:
        """Directory of the local sockets: ``run/``, or a short path beside it when the kernel's limit is in the way."""
        if len(os.fsencode(self.run)) + _LONGEST_SOCKET_NAME <= _SOCKET_PATH_LIMIT:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"atrader-{os.getuid()}-{digest}"

    def endpoint(self, name: str) -> str:
        """Local socket of a service: ``manager.call``, ``data.call``, ``gateway.NAME.call`` ..."""
        return f"ipc://{self.sockets}/{name}"
