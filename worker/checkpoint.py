"""What a worker keeps between two lives: the strategy's state, the bar that produced it, and what it was about to do.

Two files. The checkpoint is replaced as a whole when a bar is done. Before intents are handed over, the state that
wanted them and the intents themselves are noted in a second file, one line each: the next life hands the same intents
over again and decides nothing twice. The newest intact record of both files counts.

Nothing is synced: a killed process loses nothing it wrote, and the order journal of the gateway is the authority on
what was traded. A power cut only means that one bar is handled again (docs/decisions/0005-checkpoint.md).
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from atrader.errors import StrategyError

_VERSION = 2
_NOTES_BYTES: Final = 1 << 20  # a strategy of daily bars may note something at every quote


@dataclass(slots=True)
class Checkpoint:
    """One strategy instance's memory.

    Attributes
    ----------
    bar_open_time_ns : int
        Open time (UTC) of the last bar that was handled completely, or decided with its intents in `pending`; 0 = none.
    n : int
        Highest counter used in an intent.
    state : dict
        The strategy's own state; JSON values only.
    pending : list of dict
        Intents as JSON that were about to be handed over.
    number : int
        Of the record: the highest is the newest.
    """

    instance: str
    magic: int
    bar_open_time_ns: int = 0
    n: int = 0
    state: dict[str, object] = field(default_factory=dict)
    pending: list[dict[str, object]] = field(default_factory=list)
    number: int = 0


class CheckpointFile:
    """The files of one instance; one process writes them.

    Parameters
    ----------
    path : Path
        Of the checkpoint; the notes lie beside it with the suffix ``.notes``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes = path.with_suffix(".notes")
        self._fd: int | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint: the next life sees the old one or the new one. The notes begin anew.

        Raises
        ------
        StrategyError
            When the strategy's state holds something JSON cannot; the files are as before.
        OSError
            When it cannot be written (disk full); the files are as before.
        """
        self._replace(_encode(checkpoint))

    def _replace(self, record: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(record)
        os.replace(temporary, self._path)
        if self._fd is not None:
            os.ftruncate(self._fd, 0)

    def note(self, checkpoint: Checkpoint) -> None:
        """Note what is about to be handed over; survives a kill when it returns, in a tenth of the time of `save`.

        Notes that have grown long are replaced by a checkpoint.

        Raises
        ------
        StrategyError, OSError
            As `save`.
        """
        record = _encode(checkpoint)
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            record = b"\n" + record  # what an earlier life left may end in the middle of a line
        size = os.fstat(self._fd).st_size
        if size + len(record) > _NOTES_BYTES:
            self._replace(record.lstrip())
        elif (written := os.write(self._fd, record)) < len(record):
            os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, f"only {written} of {len(record)} bytes fit", str(self._notes))

    def close(self) -> None:
        """Close the notes."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def load(self, instance: str, magic: int) -> tuple[Checkpoint, str | None]:
        """Read what the last life kept.

        Returns
        -------
        tuple of Checkpoint and (str or None)
            The newest record, empty when there is none; and why a checkpoint that is there could not be used. Such a
            file is kept beside it with the suffix ``.damaged``: nothing is lost, and without notes the instance starts
            without state.
        """
        found, reason = [Checkpoint(instance, magic)], None
        try:
            found.append(_decode(self._path.read_bytes(), magic))
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            kept = self._path.with_suffix(".damaged")
            os.replace(self._path, kept)
            reason = f"checkpoint {self._path} is not usable ({error}); kept as {kept.name}"
        found += self._read_notes(magic)
        return max(reversed(found), key=lambda checkpoint: checkpoint.number), reason

    def _read_notes(self, magic: int) -> Iterator[Checkpoint]:
        try:
            lines = self._notes.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield _decode(line, magic)
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a power cut, or of another magic number


def _encode(checkpoint: Checkpoint) -> bytes:
    try:
        kept = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
        body = json.dumps({"version": _VERSION, **kept}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise StrategyError(f"the state of {checkpoint.instance} holds a value JSON cannot: {error}") from error
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _decode(record: bytes, magic: int) -> Checkpoint:
    head, body = record.rstrip(b"\n").split(maxsplit=1)
    if int(head, 16) != zlib.crc32(body):
        raise ValueError("checksum differs")
    kept = json.loads(body)
    version = kept.pop("version")
    if version not in (1, _VERSION) or kept["magic"] != magic:
        raise ValueError(f"made by version {version} for magic {kept['magic']}")
    return Checkpoint(**kept)
