"""What a bridge should not send, or a newer one may: a clear error for that call alone, or nothing at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agibridge import Call, CallLost, ChannelState, CommandError, ErrorCode
from agibridge._proto import call_pb2, command_pb2
from agibridge._session import Session
from stream import Stream, begin, over


async def one_noop(call: Call) -> None:
    """Is the plainest handler."""
    await call.noop()


async def finish(stream: Stream, task: Any) -> None:
    """Answers that handler, and sees it through."""
    await stream.command()
    stream.result(1)
    assert (await stream.control()).HasField("end")
    stream.end()
    assert (await over(task)).code == "OK"


async def test_an_event_of_a_newer_contract_is_ignored() -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    newer = call_pb2.CallEvent.FromString(b"\xa2\x06\x03abc")  # field 100
    stream._events.put_nowait(newer)
    stream.start()
    stream._events.put_nowait(newer)
    await finish(stream, task)


async def test_a_heartbeat_is_answered_by_one_and_means_nothing() -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    stream.say(heartbeat=call_pb2.Heartbeat())  # before the call has begun
    stream.start()
    await stream.command()
    stream.say(heartbeat=call_pb2.Heartbeat())
    assert (await stream.control()).HasField("heartbeat")
    stream.result(1)
    assert (await stream.control()).HasField("end")
    stream.end()
    assert (await over(task)).code == "OK"


async def test_an_error_code_of_a_newer_contract_keeps_its_number() -> None:
    stream = Stream()
    caught: list[CommandError] = []

    async def handle(call: Call) -> None:
        with pytest.raises(CommandError, match="newer version") as info:
            await call.noop()
        caught.append(info.value)

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.error(1, 77)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)
    assert caught[0].code == 77
    assert caught[0].code.name == "UNKNOWN(77)"
    assert not caught[0].code.known
    assert ErrorCode.FAILED.known


async def test_other_enums_of_a_newer_contract_keep_their_numbers() -> None:
    stream = Stream()
    seen: list[str] = []

    async def handle(call: Call) -> None:
        state = await call.channel_status()
        assert isinstance(state, ChannelState)
        seen.append(state.name)
        await call.wait_hung_up()
        assert call.hangup is not None
        seen.append(call.hangup.source.name)
        seen.append((await call.wait_ended()).reason.name)

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    newer: Any = 55
    stream.result(1, channel_status=command_pb2.ChannelStatusResult(state=newer))
    stream.say(hangup=call_pb2.Hangup(source=newer))
    stream.end(newer)
    await over(task)
    assert seen == ["UNKNOWN(55)"] * 3


async def test_a_result_of_another_kind_fails_its_command_alone() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(CommandError, match="done where digits was due"):
            await call.get_data("beep")
        with pytest.raises(CommandError, match="newer version"):
            await call.get_data("beep")
        await call.noop()

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.result(1)
    await stream.command()
    stream.say(result=command_pb2.CommandResult(id=2))
    await stream.command()
    stream.result(3)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_results_for_commands_that_were_never_sent_are_ignored() -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    stream.start()
    stream.result(1234)
    stream.result(0)
    stream.say(progress=command_pb2.CommandProgress(id=9, text="x"))
    await finish(stream, task)


@pytest.mark.parametrize(
    "event",
    [
        {"result": command_pb2.CommandResult(id=1)},
        {"hangup": call_pb2.Hangup()},
        {"ended": call_pb2.CallEnded()},
    ],
)
async def test_a_message_before_started_ends_that_stream_with_an_error(
    event: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    stream.say(**event)
    close = await over(task)
    assert close.code == "INTERNAL"
    assert "before started" in close.detail
    assert "before started" in caplog.text


async def test_a_second_started_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    stream.start()
    stream.start()
    await finish(stream, task)
    assert "started again" in caplog.text


async def test_a_stream_that_ends_without_ended_is_lost() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(CallLost, match="without an end"):
            await call.noop()
        with pytest.raises(CallLost):
            await call.end()
        with pytest.raises(CallLost):
            await call.wait_ended()
        with pytest.raises(CallLost):
            await call.wait_hung_up()

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.close()
    assert (await over(task)).code == "INTERNAL"


async def test_a_stream_that_ends_before_started_runs_no_handler() -> None:
    stream = Stream()
    task = begin(stream, one_noop)
    stream.close()
    assert (await over(task)).code == "INTERNAL"


async def test_a_bridge_that_never_starts_does_not_hold_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agibridge._session.STARTED_TIMEOUT", 0.01)
    assert "no started" in (await over(begin(Stream(), one_noop))).detail


async def test_odd_times_are_taken_for_the_longest_there_are() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        await call.wait_draining()
        assert call.draining is not None
        assert call.draining.year == 9999
        await call.noop()

    task = begin(stream, handle)
    stream.start()
    draining = call_pb2.Draining()
    draining.deadline.seconds = 2**62
    stream.say(draining=draining)
    await stream.command()
    result = command_pb2.CommandResult(id=1, done=command_pb2.Done())
    result.elapsed.seconds = 2**62
    stream.say(result=result)
    assert (await stream.control()).HasField("end")
    stream.end()
    assert (await over(task)).code == "OK"


async def test_a_plain_function_as_handler_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()

    def handle(call: Call) -> None:
        """Lacks its async."""

    handler: Any = handle
    task = asyncio.create_task(Session(stream, handler, 10).run())
    stream.start()
    assert (await over(task)).code == "INTERNAL"
    assert "async def" in caplog.text
