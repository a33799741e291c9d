"""Calls whose server is silent, away, closed, busy or talked to in garbage: each has one clear end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgpack
import pytest
import zmq

from atrader.bus import CallClient, Caller, SocketOptions, SyncCallClient
from atrader.clock import NS_PER_S
from atrader.errors import (
    DeadlineExceeded,
    Rejected,
    Retryable,
    UnknownOutcome,
    WireError,
)
from atrader.wire import pack_request
from tests.support.bus import Act, Echo, EchoAnswer, auntil, raw_socket
from tests.support.call_stage import Stage, echo, slow_echo

pytestmark = pytest.mark.usefixtures("closed_context")


def test_silence_is_deadline_exceeded_for_a_read_and_unknown_for_an_act(call_stage: Stage):
    async def scene() -> None:
        server = await call_stage.serve({Echo: echo})
        await server.close()
        async with call_stage.asker() as asker:  # nobody is there any more
            with pytest.raises(DeadlineExceeded, match=r"test-bus\.echo: no answer within 0\.05 s"):
                await asker.ask(Echo(), 0.05)
            with pytest.raises(UnknownOutcome):
                await asker.ask(Act(), 0.05)
            assert asker.client.counters["timeouts"] == 2

    asyncio.run(scene())


def test_a_late_answer_is_dropped_by_its_id_and_the_client_goes_on(call_stage: Stage):
    async def scene() -> None:
        server = await call_stage.serve({Echo: slow_echo})
        async with call_stage.asker() as asker:
            await asker.ask(Echo(text="connected"))
            with pytest.raises(DeadlineExceeded):
                await asker.ask(Echo(text="late", delay_s=0.3), 0.1)
            await auntil(lambda: server.counters["answered"] == 2, "the late answer to be sent")
            assert (await asker.ask(Echo(text="next"))).text == "next"
            assert asker.client.counters["dropped_late"] == 1
        await server.close()

    asyncio.run(scene())


def test_a_request_made_before_the_server_is_there_is_answered_when_it_comes(call_stage: Stage):
    async def scene() -> None:
        server = await call_stage.serve({Echo: echo})  # finds a free port
        await server.close()
        async with call_stage.asker() as asker:
            asking = asyncio.create_task(asker.ask(Echo(text="early")))
            await auntil(lambda: asker.client.counters["sent"], "the request to be queued")
            server = await call_stage.serve({Echo: echo})
            assert (await asking).text == "early"
        await server.close()

    asyncio.run(scene())


def test_a_client_goes_on_after_its_server_was_away_without_being_touched(call_stage: Stage):
    async def scene() -> None:
        server = await call_stage.serve({Echo: echo})
        async with call_stage.asker() as asker:
            for life in range(3):
                # What is sent in the very moment a server dies goes down with it: that call ends by its deadline.
                answer = None
                for attempt in range(50):
                    try:
                        answer = await asker.ask(Echo(text=f"life {life}"), 0.2 + 0.1 * attempt)
                        break
                    except DeadlineExceeded:
                        continue
                assert answer is not None
                assert answer.text == f"life {life}"
                await server.close()
                server = await call_stage.serve({Echo: echo})
        await server.close()

    asyncio.run(scene())


def test_a_request_past_its_deadline_is_not_carried_out_when_the_server_comes_back(call_stage: Stage):
    heard: list[str] = []

    def listen(request: Echo, _: Caller) -> EchoAnswer:
        heard.append(request.text)
        return EchoAnswer(text="")

    async def scene() -> None:
        server = await call_stage.serve({Echo: listen})  # finds a free port
        await server.close()
        async with call_stage.asker() as asker:
            with pytest.raises(DeadlineExceeded):
                await asker.ask(Echo(text="expired"), 0.1)
            server = await call_stage.serve({Echo: listen})
            await asker.ask(Echo(text="last"))
            assert server.counters["expired"] == 1
        await server.close()

    asyncio.run(scene())
    assert heard == ["last"]


def test_a_caller_whose_clock_is_behind_is_told_why_nothing_is_done(local_calls: Stage):
    class SlowClock:
        def now_ns(self) -> int:
            return NS_PER_S

        def monotonic_s(self) -> float:
            return 0.0

    async def scene() -> None:
        server = await local_calls.serve({Act: echo})
        client = CallClient(local_calls.address, clock=SlowClock())
        with pytest.raises(DeadlineExceeded, match="clocks of the two hosts differ"):
            await client.call(Act(), 5)
        await client.close()
        await server.close()

    asyncio.run(scene())


@pytest.mark.parametrize("promises", [False, True])
def test_a_server_closed_in_mid_call_answers_unknown_outcome(call_stage: Stage, promises: bool):
    started = threading.Event()

    async def hang(request: Echo, _: Caller) -> EchoAnswer:
        started.set()
        await asyncio.sleep(3600)
        return EchoAnswer(text="")

    def promise(request: Echo, _: Caller) -> asyncio.Future[EchoAnswer]:
        started.set()
        return asyncio.get_running_loop().create_future()

    async def scene() -> None:
        server = await call_stage.serve({Echo: promise if promises else hang}, grace_s=0.01)
        async with call_stage.asker() as asker:
            asking = asyncio.create_task(asker.ask(Echo()))
            await auntil(started.is_set, "the handler to start")
            await server.close()
            with pytest.raises(UnknownOutcome, match="the server closed"):
                await asking

    asyncio.run(scene())


def test_closing_gives_running_handlers_time_to_end(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: slow_echo}, grace_s=10)
        async with local_calls.asker() as asker:
            asking = asyncio.create_task(asker.ask(Echo(text="done", delay_s=0.05)))
            await auntil(lambda: server.counters["received"], "the request")
            await server.close()
            assert (await asking).text == "done"
        await server.close()

    asyncio.run(scene())


def test_a_future_that_fails_is_raised_in_the_caller_and_one_too_many_is_refused(local_calls: Stage):
    promises: list[asyncio.Future[EchoAnswer]] = []

    def promise(request: Echo, _: Caller) -> asyncio.Future[EchoAnswer]:
        promises.append(asyncio.get_running_loop().create_future())
        return promises[-1]

    async def scene() -> None:
        server = await local_calls.serve({Echo: promise}, max_running=1)
        async with local_calls.asker() as asker:
            first = asyncio.create_task(asker.ask(Echo()))
            await auntil(lambda: promises, "the first promise")
            with pytest.raises(Retryable, match="1 calls are running"):
                await asker.ask(Echo())
            assert promises[1].cancelled()
            promises[0].set_exception(Rejected("no"))
            with pytest.raises(Rejected, match="no"):
                await first
        await server.close()

    asyncio.run(scene())


def test_many_calls_are_in_flight_and_a_slow_one_delays_nobody(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: slow_echo})
        async with local_calls.asker() as asker:
            slow = asyncio.create_task(asker.ask(Echo(text="slow", delay_s=30), 30))
            answers = await asyncio.gather(*(asker.ask(Echo(text=str(n), delay_s=0.01 * (n % 3))) for n in range(100)))
            assert [answer.text for answer in answers] == [str(n) for n in range(100)]
            assert not slow.done()
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
        server._grace_s = 0
        await server.close()

    asyncio.run(scene())


def test_more_running_coroutines_than_allowed_are_refused_as_retryable_and_not_begun(local_calls: Stage):
    begun: list[str] = []
    gate = asyncio.Event()

    async def wait(request: Echo, _: Caller) -> EchoAnswer:
        begun.append(request.text)
        await gate.wait()
        return EchoAnswer(text=request.text)

    async def scene() -> None:
        server = await local_calls.serve({Echo: wait}, max_running=2)
        async with local_calls.asker() as asker:
            first = [asyncio.create_task(asker.ask(Echo(text=str(n)))) for n in range(2)]
            await auntil(lambda: len(begun) == 2, "both to begin")
            with pytest.raises(Retryable, match="2 calls are running"):
                await asker.ask(Echo(text="third"))
            gate.set()
            assert [(await task).text for task in first] == ["0", "1"]
            assert (await asker.ask(Echo(text="fourth"))).text == "fourth"
        await server.close()
        assert server.counters["refused"] == 1

    asyncio.run(scene())
    assert begun == ["0", "1", "fourth"]


def test_a_full_queue_to_an_absent_server_is_refused_as_retryable_since_nothing_was_sent(tmp_path: Path):
    client = SyncCallClient(f"ipc://{tmp_path}/nobody", options=SocketOptions(hwm=1, linger_ms=0))
    with pytest.raises(UnknownOutcome):
        client.call(Act(), 0.01)
    with pytest.raises(Retryable, match="not sent") as caught:
        client.call(Act(), 0.01)
    assert type(caught.value) is Retryable
    assert client.counters["refused"] == 1
    client.close()


def test_a_kind_that_is_not_answered_here_is_a_wire_error(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: echo})
        async with local_calls.asker() as asker:
            with pytest.raises(WireError, match=r"'test-bus\.act' is not answered"):
                await asker.ask(Act())
        await server.close()

    asyncio.run(scene())


def test_a_client_closed_in_mid_call_ends_the_call_and_can_be_used_again(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: slow_echo, Act: slow_echo}, grace_s=0)
        client = CallClient(local_calls.address)
        reading = asyncio.create_task(client.call(Echo(delay_s=60), 60))
        await auntil(lambda: server.counters["received"], "the request")
        await client.close()
        with pytest.raises(DeadlineExceeded, match="closed while waiting"):
            await reading
        assert (await client.call(Echo(text="again"), 5)).text == "again"
        await client.close()
        await server.close()

    asyncio.run(scene())


def test_garbage_from_a_raw_socket_never_ends_the_server_and_is_answered_with_wire_errors(local_calls: Stage):
    good_id, good = b"12345678", pack_request(Echo(text="x"), 2**62)
    garbage: list[list[bytes]] = [
        [b""],
        [b"", b""],
        [b"short", good],
        [good_id],
        [good_id, b""],
        [good_id, b"\xc1"],
        [good_id, good[:-1]],
        [good_id, good + b"x"],
        [good_id, msgpack.packb({"v": 1})],
        [good_id, msgpack.packb({"v": 9, "kind": "test-bus.echo", "body": {}, "deadline_ns": 1})],
        [good_id, b"\x91" * 100_000],
        [b"\0" * 300, b"\0" * 300, b"\0" * 300],
    ]

    async def scene() -> None:
        server = await local_calls.serve({Echo: echo})
        with raw_socket(zmq.DEALER) as raw:
            raw.connect(local_calls.address)
            for frames in garbage:
                raw.send_multipart(frames)
            await auntil(lambda: server.counters["received"] == len(garbage), "all the garbage to be read")
            answers = []
            while raw.poll(100):
                answers.append(raw.recv_multipart())
        assert len(answers) == len([frames for frames in garbage if frames[0] == good_id and len(frames) == 2])
        assert all(msgpack.unpackb(payload)["body"]["code"] == "wire" for _, payload in answers)
        async with local_calls.asker() as asker:
            assert (await asker.ask(Echo(text="alive"))).text == "alive"
        await server.close()
        assert server.counters["malformed"] == len(garbage)

    asyncio.run(scene())
    assert len(local_calls.errors) == 1  # once a minute


def test_a_garbage_answer_is_counted_by_the_client_and_a_good_one_still_arrives(local_calls: Stage):
    async def scene(raw: zmq.Socket[bytes]) -> None:
        raw.bind(local_calls.address)
        client = CallClient(local_calls.address)
        asking = asyncio.create_task(client.call(Echo(), 10))
        await auntil(lambda: raw.poll(0), "the request")
        peer, call_id, _ = raw.recv_multipart()
        for frames in ([b""], [b"x", b"y"], [b"87654321", b"for nobody"], [call_id, b"\xc1"]):
            raw.send_multipart([peer, *frames])
        with pytest.raises(WireError, match="MessagePack"):
            await asking
        assert client.counters["malformed"] == 2
        assert client.counters["dropped_late"] == 1
        await client.close()

    with raw_socket(zmq.ROUTER) as raw:
        asyncio.run(scene(raw))


def test_an_answer_to_a_peer_that_is_gone_is_counted_and_nothing_else(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: slow_echo}, grace_s=5)
        async with local_calls.asker() as asker:
            asking = asyncio.create_task(asker.ask(Echo(delay_s=0.3)))
            await auntil(lambda: server.counters["received"], "the request")
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await auntil(lambda: server.counters["unreachable"] == 1, "the answer that cannot be delivered")
        await server.close()

    asyncio.run(scene())


def test_a_frame_larger_than_allowed_cuts_that_peer_off_and_no_other(local_calls: Stage):
    async def scene() -> None:
        server = await local_calls.serve({Echo: echo}, options=SocketOptions(max_message_bytes=10_000))
        async with local_calls.asker() as big, local_calls.asker() as small:
            with pytest.raises(DeadlineExceeded):
                await big.ask(Echo(text="x" * 20_000), 0.3)
            assert (await small.ask(Echo(text="ok"))).text == "ok"
        await server.close()

    asyncio.run(scene())
