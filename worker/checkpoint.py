"""What a worker keeps between two lives: the strategy's state and the bar that produced it.

The file is replaced atomically but not synced: the order journal of the gateway is the authority on what was
traded, and an intent decided twice carries the same decision key. A checkpoint lost in a power cut therefore only
means that one bar is handled again (docs/decisions/0005-checkpoint.md).
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from atrader.errors import StrategyError

_VERSION = 1


@dataclass(slots=True)
class Checkpoint:
    """One strategy instance's memory.

    Attributes
    ----------
    bar_open_time_ns : int
        Open time (UTC) of the last bar that was handled completely; 0 = none yet.
    n : int
        Highest counter used in an intent.
    state : dict
        The strategy's own state; JSON values only.
    """

    instance: str
    magic: int
    bar_open_time_ns: int = 0
    n: int = 0
    state: dict[str, object] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a reader, or the next life, sees the old one or the new one.

    Raises
    ------
    StrategyError
        When the strategy's state holds something JSON cannot.
    """
    try:
        body = json.dumps(
            {
                "version": _VERSION,
                "instance": checkpoint.instance,
                "magic": checkpoint.magic,
                "bar_open_time_ns": checkpoint.bar_open_time_ns,
                "n": checkpoint.n,
                "state": checkpoint.state,
            },
            allow_nan=False,
        ).encode()
    except (TypeError, ValueError) as error:
        raise StrategyError(f"the state of {checkpoint.instance} holds a value JSON cannot: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(b"%08x\n" % zlib.crc32(body) + body)
    os.replace(temporary, path)


def load(path: Path, instance: str, magic: int) -> tuple[Checkpoint, str | None]:
    """Read a checkpoint.

    Returns
    -------
    tuple of Checkpoint and (str or None)
        The checkpoint, empty when there is none; and why a file that is there could not be used. Such a file is
        kept beside it with the suffix ``.damaged``: nothing is lost, and the instance starts without state.
    """
    empty = Checkpoint(instance, magic)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return empty, None
    try:
        head, body = raw.split(b"\n", 1)
        if int(head, 16) != zlib.crc32(body):
            raise ValueError("checksum differs")
        kept = json.loads(body)
        if kept["version"] != _VERSION or kept["magic"] != magic:
            raise ValueError(f"made by version {kept['version']} for magic {kept['magic']}")
        return Checkpoint(instance, magic, int(kept["bar_open_time_ns"]), int(kept["n"]), dict(kept["state"])), None
    except (ValueError, KeyError, TypeError) as error:
        os.replace(path, path.with_suffix(".damaged"))
        return empty, f"checkpoint {path} is not usable ({error}); kept as {path.with_suffix('.damaged').name}"
