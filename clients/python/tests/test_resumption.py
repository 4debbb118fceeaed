"""Calls that go on elsewhere: checkpoint, release, handoff, resumption; and what is told on the way."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest

from agibridge import (
    Call,
    CommandError,
    HungUp,
    MisuseError,
    PastResult,
    Playback,
    Resumption,
    ResumptionCause,
)
from agibridge._proto import call_pb2, command_pb2
from agibridge.testing import NEVER, FakeCall
from stream import Stream, begin, over, settle


async def test_release_leaves_the_call_with_its_checkpoint_to_another_instance() -> None:
    async def handle(call: Call) -> None:
        await call.checkpoint(b"state")
        await call.release("lunch")
        with pytest.raises(MisuseError, match="released"):
            call.noop()

    fake = FakeCall()
    await fake.run(handle)
    assert fake.released
    assert fake.checkpoints == [b"state"]


async def test_a_release_waits_for_what_is_on_its_way() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        stream.gate.clear()
        await call.checkpoint(b"state")
        await call.release()

    task = begin(stream, handle)
    stream.start()
    await settle()
    assert not task.done()
    stream.gate.set()
    assert (await stream.control()).checkpoint.state == b"state"
    assert (await over(task)).code == "UNAVAILABLE"


async def test_handoff_returns_when_the_call_is_with_the_other_route() -> None:
    async def handle(call: Call) -> None:
        running, waiting = call.wait_for_digit(), call.noop()
        await asyncio.sleep(0)
        await call.handoff("/sales", b"state")
        for pending in (running, waiting):
            with pytest.raises(CommandError):
                await pending
        with pytest.raises(MisuseError, match="handed over"):
            call.noop()

    fake = FakeCall().on("wait_for_digit", NEVER)
    await fake.run(handle)
    assert fake.handoff == ("/sales", b"state")


async def test_a_handoff_that_ends_the_session_raises() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(CommandError, match="CALL_ENDED"):
            await call.handoff("nowhere")

    task = begin(stream, handle)
    stream.start()
    assert (await stream.control()).handoff.route == "nowhere"
    stream.end(call_pb2.CallEnded.REASON_PROTOCOL_ERROR)
    await over(task)


async def test_a_checkpoint_accounts_for_the_results_that_the_handler_has_seen() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        await call.checkpoint(b"0")
        first, unseen = call.noop(), call.noop()
        await first
        await settle()
        await call.checkpoint(b"1")
        await unseen
        await call.checkpoint(b"2")

    task = begin(stream, handle)
    stream.start()
    assert (await stream.control()).checkpoint.last_result_id == 0
    await stream.command()
    await stream.command()
    stream.result(1)
    stream.result(2)
    first, second = (await stream.control()).checkpoint, (await stream.control()).checkpoint
    assert first.HasField("last_result_id")
    assert (first.state, first.last_result_id) == (b"1", 1)
    assert (second.state, second.last_result_id) == (b"2", 2)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_a_resumed_call_goes_on_where_the_service_before_stopped() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        before = call.resumption
        assert before is not None
        assert (before.cause, before.attempt, before.checkpoint) == (ResumptionCause.SERVICE_LOST, 2, b"state")
        assert before.results == (PastResult(4, "playback", Playback("1")),)
        assert before.running is not None
        assert before.running.name == "get_data"
        assert before.running.arguments["file"] == "beep"
        await call.checkpoint(b"new")
        assert (await before.running).digits == "12"
        await call.noop()

    task = begin(stream, handle)
    playback = command_pb2.CommandResult(id=4, playback=command_pb2.PlaybackResult(digit="1"))
    stream.start(
        resumption=call_pb2.Resumption(
            cause=call_pb2.Resumption.CAUSE_SERVICE_LOST,
            attempt=2,
            checkpoint=b"state",
            running=command_pb2.Command(id=5, get_data=command_pb2.GetData(file="beep")),
            results=[playback],
            last_command_id=7,
        )
    )
    assert (await stream.control()).checkpoint.last_result_id == 4
    stream.result(5, digits=command_pb2.DigitsResult(digits="12"))
    stream.error(6, command_pb2.CommandError.CODE_CANCELLED)
    stream.error(7, command_pb2.CommandError.CODE_CANCELLED)
    assert (await stream.command()).id == 8
    stream.result(8)
    assert (await stream.control()).HasField("end")
    stream.end()
    assert (await over(task)).code == "OK"


async def test_a_fake_call_may_be_resumed() -> None:
    async def handle(call: Call) -> None:
        assert call.resumption is not None
        assert call.resumption.checkpoint == b"x"
        with pytest.raises(HungUp):
            await call.answer()

    await FakeCall(resumption=Resumption(ResumptionCause.HANDOFF, checkpoint=b"x", hung_up=True)).run(handle)


async def test_draining_tells_the_deadline() -> None:
    deadline = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)

    async def handle(call: Call) -> None:
        assert call.draining is None
        fake.drain(deadline)
        assert await call.wait_draining() == deadline
        assert call.draining == deadline

    fake = FakeCall()
    await fake.run(handle)


async def test_progress_is_told_before_the_result() -> None:
    stream = Stream()
    told: list[str] = []

    async def handle(call: Call) -> None:
        call.on_progress(lambda progress: told.append(f"{progress.command} {progress.text}"))
        assert (await call.gosub("a", "s")).return_value == "5"

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.say(progress=command_pb2.CommandProgress(id=1, text="Trying..."))
    stream.result(1, gosub=command_pb2.GosubResult(return_value="5"))
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)
    assert told == ["gosub Trying..."]
