"""A socket between a client and a PostgreSQL server that can lose a commit, or the answer to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

_SOCKET = ".s.PGSQL.5432"


class LossyProxy:
    """Passes everything on, until it is told to lose the next commit.

    Parameters
    ----------
    url : str
        Address of the server, on a socket of this host.
    directory : Path
        Where our socket is made.
    """

    def __init__(self, url: str, directory: Path) -> None:
        parts = urlsplit(url)
        self._server = str(Path(parse_qs(parts.query)["host"][0]) / _SOCKET)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}?host={directory}"
        self.lost = 0
        self.keeps_session = False  # whether the server goes on believing in the client that was cut off
        self.commits = True  # whether a commit that is lost was carried out: the answer is lost then, else the request
        self._lose = False
        self._muted: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def lose_next_commit(self) -> None:
        """Cut the client off at the next commit, before it learns what became of it."""
        self._lose = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            _cut(one)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._open += [client, server]
            for target in (self._requests, self._answers):
                thread = threading.Thread(target=target, args=(client, server), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self._lose and b"COMMIT" in data:
                    self._lose = False
                    self.lost += 1
                    self._muted.add(client)
                    if self.commits:
                        server.sendall(data)  # the client is cut off with the answer: then it is done
                        return
                    _cut(client)
                    if self.keeps_session:
                        return
                    break
                server.sendall(data)
        _cut(server)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if client in self._muted:
                    break
                client.sendall(data)
        if not self.keeps_session:
            _cut(server)
        _cut(client)


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
