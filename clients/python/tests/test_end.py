"""Hangup, grace, every way to end, misuse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agibridge import (
    Call,
    CallLost,
    CommandError,
    EndReason,
    ErrorCode,
    Goto,
    HungUp,
    MisuseError,
    NoInput,
)
from agibridge._proto import call_pb2, command_pb2
from agibridge.testing import End, FakeCall
from stream import Stream, begin, over, settle


async def test_the_hangup_is_one_error_at_the_next_command_and_a_dead_channels_commands_go_on() -> None:
    async def handle(call: Call) -> None:
        await call.answer()
        await call.exec("Dial", "PJSIP/1")
        with pytest.raises(HungUp):
            await call.stream_file("x")
        assert call.hung_up
        assert await call.get_variable("DIALSTATUS") == "ANSWER"

    fake = FakeCall().on("get_variable", "ANSWER").hang_up_at("exec")
    await fake.run(handle)
    assert fake.names == ["answer", "exec", "get_variable"]


async def test_a_handler_that_ends_by_the_hangup_ends_well(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(call: Call) -> None:
        await call.wait_for_digit()

    fake = FakeCall().hang_up_at("wait_for_digit")
    await fake.run(handle)
    assert isinstance(fake.error, HungUp)
    assert not fake.released
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_group_of_nothing_but_hangups_ends_well_too() -> None:
    class Group(Exception):
        """Is what a TaskGroup raises."""

        exceptions = (HungUp(), HungUp())

    async def handle(call: Call) -> None:
        raise Group

    fake = FakeCall()
    await fake.run(handle)
    assert isinstance(fake.error, Group)


async def test_the_hangup_wakes_whoever_waits_for_it_and_cancels_nobody() -> None:
    async def handle(call: Call) -> None:
        waiting = asyncio.create_task(call.wait_hung_up())
        await asyncio.sleep(0)
        fake.hang_up()
        await waiting
        assert call.hangup is not None
        assert call.hangup.source.name == "SIGNAL"
        await call.set_variable("STORED", "1")

    fake = FakeCall()
    await fake.run(handle)
    assert not fake.cancelled
    assert fake.names == ["set_variable"]


async def test_the_handler_is_cancelled_after_the_grace(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(call: Call) -> None:
        fake.hang_up()
        await asyncio.Event().wait()

    fake = FakeCall(grace=0.01)
    await asyncio.wait_for(fake.run(handle), 5)
    assert fake.cancelled
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_handler_that_does_not_heed_cancellation_is_reported_and_left_behind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agibridge._session.CANCEL_TIMEOUT", 0.01)
    let_go = asyncio.Event()

    async def handle(call: Call) -> None:
        fake.hang_up()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    fake = FakeCall(grace=0.01)
    await asyncio.wait_for(fake.run(handle), 5)
    assert "still there" in caplog.text
    let_go.set()
    await settle()


async def test_a_grace_of_zero_leaves_the_time_to_clean_up() -> None:
    stored: list[str] = []

    async def handle(call: Call) -> None:
        await call.wait_hung_up()
        await settle()
        stored.append("yes")

    fake = FakeCall(grace=0).hang_up_after(0)
    await fake.run(handle)
    assert stored == ["yes"]


async def test_a_lost_stream_fails_commands_and_then_cancels_after_the_cleanup_timeout() -> None:
    stream = Stream()
    seen: list[str] = []

    async def handle(call: Call) -> None:
        with pytest.raises(CallLost, match="a cable was cut"):
            await call.answer()
        with pytest.raises(CallLost):
            await call.noop()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    task = begin(stream, handle, cleanup_timeout=0.01)
    stream.start()
    await stream.command()
    stream.break_()
    assert (await over(task)).code == "INTERNAL"
    assert seen == ["cancelled"]


async def test_after_the_session_commands_fail_at_once() -> None:
    stream = Stream()
    codes: list[ErrorCode] = []

    async def handle(call: Call) -> None:
        running = call.exec("Wait", "100")
        ended = await call.wait_ended()
        assert ended.reason is EndReason.OPERATOR
        for pending in (running, call.noop()):
            with pytest.raises(CommandError) as caught:
                await pending
            codes.append(caught.value.code)

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.end(call_pb2.CallEnded.REASON_OPERATOR)
    assert (await over(task)).code == "OK"
    assert codes == [ErrorCode.CALL_ENDED, ErrorCode.CALL_ENDED]


async def test_call_ended_is_the_hangup_error_once_the_caller_is_gone() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(HungUp):
            await call.noop()
        await call.wait_ended()
        with pytest.raises(HungUp):
            await call.noop()

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.hang_up()
    stream.error(1, command_pb2.CommandError.CODE_CALL_ENDED)
    stream.end(call_pb2.CallEnded.REASON_HANGUP)
    assert (await over(task)).code == "OK"


@pytest.mark.parametrize(
    ("wanted", "how"),
    [
        (End({"A": "1"}), {"variables": {"A": 1}}),
        (End(goto=Goto("sales", "100", 2)), {"goto": ("sales", "100", 2)}),
        (End(hang_up=True), {"hang_up": True}),
        (End(fail="no money"), {"fail": "no money"}),
    ],
)
async def test_end_says_how_the_session_ends_and_gives_how_it_ended(wanted: End, how: dict[str, Any]) -> None:
    async def handle(call: Call) -> None:
        ended = await call.end(**how)
        assert ended.reason is EndReason.SERVICE
        with pytest.raises(CommandError, match="CALL_ENDED"):
            await call.noop()

    fake = FakeCall()
    await fake.run(handle)
    assert fake.end == wanted


async def test_a_session_that_ended_by_hangup_without_a_word_of_it_before_is_hung_up() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(HungUp):
            await call.wait_for_digit()
        assert call.hung_up
        assert call.hangup is None

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    stream.end(call_pb2.CallEnded.REASON_HANGUP)
    await over(task)


async def test_end_in_two_ways_is_misuse() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(MisuseError, match="one way"):
            await call.end(hang_up=True, fail="x")

    await FakeCall().run(handle)


async def test_a_handler_that_fails_is_logged_and_leaves_the_call_to_the_route(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        raise ZeroDivisionError("oh no")

    task = begin(stream, handle)
    stream.start()
    close = await over(task, fails=True)
    assert close.code == "INTERNAL"
    assert "ZeroDivisionError" in close.detail
    assert "oh no" in caplog.text
    assert stream.is_silent()


async def test_no_input_ends_the_session_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(call: Call) -> None:
        await call.ask("pin", 4, tries=2)

    fake = FakeCall()
    with caplog.at_level("INFO", "agibridge"):
        await fake.run(handle)
    assert isinstance(fake.error, NoInput)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert fake.names == ["get_data", "get_data"]


async def test_a_command_after_the_handler_returned_is_misuse() -> None:
    kept: list[Call] = []

    async def handle(call: Call) -> None:
        kept.append(call)

    await FakeCall().run(handle)
    with pytest.raises(MisuseError, match="has returned"):
        kept[0].noop()


async def test_a_call_of_another_handler_is_misuse_and_a_call_without_a_handler_around_is_not() -> None:
    first, second = Stream(), Stream()
    calls: list[Call] = []
    go = asyncio.Event()

    async def owner(call: Call) -> None:
        calls.append(call)
        await go.wait()

    async def thief(call: Call) -> None:
        with pytest.raises(MisuseError, match="another handler"):
            calls[0].noop()

    tasks = [begin(first, owner)]
    first.start()
    await settle()
    tasks.append(begin(second, thief))
    second.start()
    assert (await second.control()).HasField("end")
    second.end()
    calls[0].noop("from outside")
    assert (await first.command()).noop.text == "from outside"
    go.set()
    assert (await first.control()).HasField("end")
    first.end()
    for task in tasks:
        assert (await over(task)).code == "OK"


async def test_a_command_from_a_thread_is_misuse() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(MisuseError, match="run_coroutine_threadsafe"):
            await asyncio.get_running_loop().run_in_executor(None, call.noop)

    await FakeCall().run(handle)
