"""What calls carry, with both clients over both transports: answers, errors, frames."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from atrader.bus import Caller, Reply
from atrader.errors import (
    InternalError,
    Rejected,
    WireError,
)
from atrader.wire import Answer
from tests.support.bus import Act, Echo, EchoAnswer
from tests.support.call_stage import Stage, echo, promised_echo, slow_echo

pytestmark = pytest.mark.usefixtures("closed_context")


@pytest.mark.parametrize("handler", [echo, slow_echo, promised_echo])
def test_a_call_is_answered_by_functions_coroutines_and_futures(call_stage: Stage, handler: Any):
    async def scene() -> None:
        server = await call_stage.serve({Echo: handler})
        async with call_stage.asker() as asker:
            assert (await asker.ask(Echo(text="héllo"))).text == "héllo"
            assert asker.client.counters == {"sent": 1, "answered": 1}
        await server.close()
        assert server.counters == {"received": 1, "answered": 1}

    asyncio.run(scene())


def test_an_error_of_ours_is_raised_in_the_caller_as_it_was(call_stage: Stage):
    def refuse(request: Echo, _: Caller) -> EchoAnswer:
        raise Rejected("too big", details={"reason": "size", "limit": 3})

    async def scene() -> None:
        server = await call_stage.serve({Echo: refuse})
        async with call_stage.asker() as asker:
            with pytest.raises(Rejected, match="too big") as caught:
                await asker.ask(Echo())
        assert caught.value.details == {"reason": "size", "limit": 3}
        await server.close()

    asyncio.run(scene())
    assert call_stage.errors == []


@pytest.mark.parametrize("is_async", [False, True])
def test_an_unforeseen_error_is_internal_in_the_caller_reported_here_and_the_server_goes_on(
    call_stage: Stage, is_async: bool
):
    def fail(request: Echo, _: Caller) -> EchoAnswer:
        nothing: dict[str, str] = {}
        return EchoAnswer(text=nothing[request.text])

    async def fail_later(request: Echo, caller: Caller) -> EchoAnswer:
        await asyncio.sleep(0)
        return fail(request, caller)

    async def scene() -> None:
        server = await call_stage.serve({Echo: fail_later if is_async else fail, Act: echo})
        async with call_stage.asker() as asker:
            with pytest.raises(InternalError, match="KeyError: 'x'"):
                await asker.ask(Echo(text="x"))
            assert (await asker.ask(Act(text="still here"))).text == "still here"
        await server.close()

    asyncio.run(scene())
    [(error, doing)] = call_stage.errors
    assert isinstance(error, KeyError)
    assert error.__traceback__ is not None
    assert "test-bus.echo" in doing


@pytest.mark.parametrize(
    "result", [None, "text", Answer(), Reply(Answer(), ()), EchoAnswer(text="x", pid=2**64)], ids=repr
)
def test_a_handler_that_gives_something_else_than_its_answer_is_an_internal_error(local_calls: Stage, result: Any):
    async def scene() -> None:
        server = await local_calls.serve({Echo: lambda request, caller: result})
        async with local_calls.asker() as asker:
            with pytest.raises(InternalError):
                await asker.ask(Echo())
        await server.close()
        assert server.counters["answered"] == 0

    asyncio.run(scene())
    assert len(local_calls.errors) == 1


def test_raw_frames_travel_both_ways_beside_the_message(call_stage: Stage):
    def double(request: Echo, caller: Caller) -> Reply:
        columns = [np.frombuffer(frame, np.float64) * 2 for frame in caller.frames]
        return Reply(EchoAnswer(text=request.text), frames=columns)

    async def scene() -> None:
        server = await call_stage.serve({Echo: double})
        small, large, empty = (np.arange(count, dtype=np.float64) for count in (3, 200_000, 0))
        large.flags.writeable = False
        async with call_stage.asker() as asker:
            answer, frames = await asker.ask_frames(Echo(text="columns"), frames=[small, large, empty])
            assert answer.text == "columns"
            assert np.array_equal(np.frombuffer(frames[0], np.float64), small * 2)
            assert np.array_equal(np.frombuffer(frames[1], np.float64), large * 2)
            assert len(np.frombuffer(frames[2], np.float64)) == 0
        await server.close()

    asyncio.run(scene())


@pytest.mark.parametrize("bad", [np.zeros((600, 600))[:, ::2], "text", None], ids=["strided", "text", "none"])
def test_a_frame_that_cannot_be_sent_is_refused_before_anything_is_sent(call_stage: Stage, bad: Any):
    async def scene() -> None:
        server = await call_stage.serve(
            {Echo: lambda request, caller: Reply(EchoAnswer(text="x"), [b"good", bad]), Act: echo}
        )
        async with call_stage.asker() as asker:
            with pytest.raises(WireError, match="frame 1"):
                await asker.ask_frames(Act(), frames=[b"good", bad])
            with pytest.raises(InternalError, match="frame 1"):
                await asker.ask(Echo())
            assert (await asker.ask(Act(text="whole"))).text == "whole"
        await server.close()

    asyncio.run(scene())
