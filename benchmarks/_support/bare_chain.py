"""The way of a price through bare processes: a floor for `price_path.py`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

_RELAY = """
import socket, sys
source = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
target = socket.socket(socket.AF_UNIX)
target.connect(sys.argv[2])
begun = b""
while data := source.recv(65536):
    *lines, begun = (begun + data).split(b"\\n")
    for line in lines:
        target.sendall(line + b"\\n")
"""

_FAN = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(100)
print("bound", flush=True)
readers = [server.accept()[0] for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
source = server.accept()[0]
begun = b""
while data := source.recv(65536):
    *lines, begun = (begun + data).split(b"\\n")
    for line in lines:
        for reader in readers:
            reader.sendall(line + b"\\n")
"""

_READERS = """
import gc, json, os, socket, sys, time
gc.freeze()
pipes = []
for number in range(int(sys.argv[2])):
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.nice(10)
        source = socket.socket(socket.AF_UNIX)
        source.connect(sys.argv[1])
        late, begun = [], b""
        while data := source.recv(65536):
            now_ns = time.monotonic_ns()
            *lines, begun = (begun + data).split(b"\\n")
            late += [now_ns - int(line[:20]) for line in lines]
        os.write(write_end, json.dumps(late[:: max(1, len(late) // 5000)]).encode())
        os._exit(0)
    os.close(write_end)
    pipes.append(read_end)
print(json.dumps([json.loads(b"".join(iter(lambda: os.read(pipe, 65536), b""))) for pipe in pipes]))
"""


def chain_s(directory: Path, readers: int, lines: int, pause_s: float) -> list[float]:
    """Send lines of 300 bytes over TCP, through two processes, to so many readers; return how late each came."""
    path, command = str(directory / "fan"), [sys.executable, "-P", "-c"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        fan = subprocess.Popen([*command, _FAN, path, str(readers)], stdout=subprocess.PIPE)
        assert fan.stdout is not None
        fan.stdout.readline()
        ends = subprocess.Popen([*command, _READERS, path, str(readers)], stdout=subprocess.PIPE)
        fan.stdout.readline()
        relay = subprocess.Popen([*command, _RELAY, str(server.getsockname()[1]), path])
        venue = server.accept()[0]
        due_s = time.monotonic()
        for _ in range(lines):
            venue.sendall(b"%020d" % time.monotonic_ns() + b"x" * 280 + b"\n")
            due_s += pause_s
            time.sleep(max(0.0, due_s - time.monotonic()))
        venue.close()
        told, _ = ends.communicate()
        relay.wait()
        fan.communicate()
    return [late / 1e9 for one in json.loads(told) for late in one]
