"""Reading a socket from an asyncio loop.

libzmq signals through a file descriptor that is edge-triggered in effect: it tells that something changed, and any send
or receive may take that signal away. So after each signal *and* after each send everything waiting is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import zmq

from atrader.bus.sockets import Socket, is_readable

# What is read in one turn of the loop, so that a flood does not starve everything else in it, such as beats.
_BATCH: Final = 64
_TURN_S: Final = 0.01  # one message may be many ticks


class Pump:
    """Hands each message of a socket to a function, in the running loop.

    Parameters
    ----------
    socket : zmq.Socket
        Is not closed by the pump.
    on_message : callable
        Takes the frames; it must not raise.
    """

    def __init__(self, socket: Socket, on_message: Callable[[list[zmq.Frame]], None]) -> None:
        self._socket = socket
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._descriptor = socket.fileno()
        self._scheduled = False
        self._running = True
        self._loop.add_reader(self._descriptor, self._drain)
        self._soon()

    def send(self, frames: Sequence[Any]) -> None:
        """Send a message at once; large buffers are not copied and must not be changed afterwards.

        Raises
        ------
        zmq.ZMQError
            `zmq.Again` when the queue is full, ``EHOSTUNREACH`` when the peer is gone.
        """
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT, copy=False)
        finally:
            self._soon()

    def stop(self) -> None:
        """Read no more."""
        if self._running:
            self._running = False
            self._loop.remove_reader(self._descriptor)

    def _soon(self) -> None:
        if not self._scheduled and self._running:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._drain()

    def _drain(self) -> None:
        until_s = self._loop.time() + _TURN_S
        try:
            for _ in range(_BATCH):
                if not self._running or not is_readable(self._socket):
                    return
                self._on_message(self._socket.recv_multipart(zmq.DONTWAIT, copy=False))
                if self._loop.time() > until_s:
                    break
        except zmq.Again:
            return  # a message whose peer went away meanwhile
        except zmq.ZMQError:
            self.stop()  # the context ended under us
            return
        self._soon()
