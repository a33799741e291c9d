"""CURVE keys: who may talk to a tcp endpoint, and how both sides know each other."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from atrader.errors import ConfigError

_SECRET_MODE: Final = 0o600
_KEY_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Keys of one installation, as Z85 text of 40 characters each.

    Attributes
    ----------
    server_public : str
        By which clients know the server.
    server_secret : str or None
        None on a host that only connects.
    client_public, client_secret : str
        The pair this host connects with.
    admitted : frozenset of str
        Public keys of the clients a server lets in; every ``client*.public`` file of the directory.
    """

    server_public: str
    server_secret: str | None = field(repr=False)
    client_public: str
    client_secret: str = field(repr=False)
    admitted: frozenset[str]

    @classmethod
    def generate(cls, directory: Path) -> CurveKeys:
        """Make new keys and write them as files of mode 0600 in a directory of mode 0700.

        The files are on disk when it returns. Existing keys are never overwritten.

        Raises
        ------
        ConfigError
            When the directory has keys already or cannot be written.
        """
        server, client = zmq.curve_keypair(), zmq.curve_keypair()
        texts = {
            "server.public": server[0],
            "server.secret": server[1],
            "client.public": client[0],
            "client.secret": client[1],
        }
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            present = [name for name in texts if (directory / name).exists()]
            if present:
                raise ConfigError(f"{directory} has keys already ({', '.join(present)}); move them away first")
            for name, text in texts.items():
                _write_new(directory / name, text)
        except OSError as error:
            raise ConfigError(f"{directory}: cannot write keys: {error.strerror}") from error
        return cls.load(directory)

    @staticmethod
    def add_client(directory: Path, name: str) -> Path:
        """Make a pair for one more client, and return the folder to copy to its host; on disk when it returns.

        The server admits it by ``client-NAME.public`` from its next start on.

        Raises
        ------
        ConfigError
            When the server has no keys, the client has some already, or they cannot be written.
        """
        public, secret = zmq.curve_keypair()
        server = _read(directory / "server.public").encode("ascii")
        admitted, folder = directory / f"client-{name}.public", directory / f"for-{name}"
        try:
            if admitted.exists() or folder.exists():
                raise ConfigError(f"{admitted} or {folder} exists already: remove both first")
            folder.mkdir(mode=0o700)
            for file, text in (("server.public", server), ("client.public", public), ("client.secret", secret)):
                _write_new(folder / file, text)
            _write_new(admitted, public)
        except OSError as error:
            raise ConfigError(f"{directory}: cannot write keys: {error.strerror}") from error
        return folder

    @classmethod
    def load(cls, directory: Path) -> CurveKeys:
        """Read the keys of a directory; ``server.secret`` may be missing on a host that only connects.

        Raises
        ------
        ConfigError
            When a key is missing or malformed, or a file may be read by others.
        """
        secret = directory / "server.secret"
        client_public = _read(directory / "client.public")
        others = (path for path in sorted(directory.glob("client*.public")) if path.name != "client.public")
        return cls(
            server_public=_read(directory / "server.public"),
            server_secret=_read(secret) if secret.exists() else None,
            client_public=client_public,
            client_secret=_read(directory / "client.secret"),
            admitted=frozenset({client_public, *map(_read, others)}),
        )


def _write_new(path: Path, key: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET_MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), _SECRET_MODE)  # whatever the umask says
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(256).decode("ascii").strip()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such key; make keys with 'atrader-manager keys'") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a key: {error}") from error
    if mode != _SECRET_MODE:
        raise ConfigError(
            f"{path}: mode is {mode:04o}, must be {_SECRET_MODE:04o}; run: chmod 600 {path}",
            details={"file": str(path), "mode": f"{mode:04o}"},
        )
    try:
        if len(text) != _KEY_CHARACTERS or len(z85.decode(text)) != 32:
            raise ValueError
    except (ValueError, KeyError, zmq.ZMQError) as error:
        raise ConfigError(f"{path}: expected {_KEY_CHARACTERS} characters of Z85") from error
    return text
