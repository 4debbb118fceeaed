"""Ids, order, room at the bridge, batches, and taking back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agibridge import Call, CommandError, ErrorCode, HungUp, MisuseError, Pending
from agibridge._proto import command_pb2
from agibridge.testing import NEVER, FakeCall
from stream import Stream, begin, over, settle


async def test_a_command_is_sent_as_its_method_is_called() -> None:
    stream = Stream()
    go = asyncio.Event()

    async def handle(call: Call) -> None:
        call.answer()
        call.noop("x")
        await go.wait()

    task = begin(stream, handle)
    stream.start()
    first, second = await stream.command(), await stream.command()
    assert (first.id, first.WhichOneof("command")) == (1, "answer")
    assert (second.id, second.noop.text) == (2, "x")
    go.set()
    assert (await stream.control()).HasField("end")
    stream.result(1)
    stream.result(2)
    stream.end()
    assert (await over(task)).code == "OK"


async def test_no_more_commands_are_unanswered_than_the_bridge_takes() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        await asyncio.gather(*[call.noop(str(number)) for number in range(5)])

    task = begin(stream, handle)
    stream.start(max_queued_commands=2)
    sent = [await stream.command(), await stream.command()]
    await settle()
    assert stream.is_silent()
    for number in range(1, 6):
        stream.result(number)
        if number <= 3:
            sent.append(await stream.command())
    assert [command.id for command in sent] == [1, 2, 3, 4, 5]
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_the_end_waits_for_commands_that_wait_for_room() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        call.noop("1")
        call.noop("2")
        await call.end({"A": 1})

    task = begin(stream, handle)
    stream.start(max_queued_commands=1)
    await stream.command()
    await settle()
    assert stream.is_silent()
    stream.result(1)
    assert (await stream.command()).id == 2
    assert (await stream.control()).end.variables == {"A": "1"}
    stream.result(2)
    stream.end()
    await over(task)


def flood(call: Call) -> None:
    """Sends far too much."""
    for _ in range(20_000):
        call.noop()


async def test_more_commands_than_anybody_needs_are_misuse() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(MisuseError, match="await results"):
            flood(call)

    await FakeCall().run(handle)


async def test_a_batch_goes_in_one_go_and_stops_at_the_first_error() -> None:
    results: list[Any] = []

    async def handle(call: Call) -> None:
        batch = call.batch()
        batch.answer()
        missing = batch.stream_file("missing")
        skipped = batch.get_data("beep")
        with pytest.raises(CommandError) as caught:
            await batch.run()
        results.extend((caught.value.code, missing.exception(), skipped.exception()))

    fake = FakeCall().on("stream_file", ErrorCode.FAILED)
    await fake.run(handle)
    assert results[0] is ErrorCode.FAILED
    assert isinstance(results[2], CommandError)
    assert results[2].code is ErrorCode.SKIPPED
    assert fake.names == ["answer", "stream_file"]


async def test_a_batch_may_go_on_after_an_error() -> None:
    async def handle(call: Call) -> None:
        batch = call.batch(skip_after_error=False)
        first, second = batch.stream_file("missing"), batch.noop()
        batch.send()
        with pytest.raises(CommandError):
            await first
        await second

    fake = FakeCall().on("stream_file", ErrorCode.FAILED)
    await fake.run(handle)
    assert fake.names == ["stream_file", "noop"]


async def test_a_batch_whose_waiting_is_cancelled_is_taken_back_whole() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        batch = call.batch()
        batch.stream_file("long")
        batch.noop()
        batch.noop()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batch.run(), 0.01)

    task = begin(stream, handle)
    stream.start()
    for _ in range(3):
        await stream.command()
    taken_back = {(await stream.control()).cancel.id for _ in range(3)}
    assert taken_back == {1, 2, 3}
    stream.end()
    await over(task)


async def test_a_batch_as_a_block_is_run_as_the_block_is_left() -> None:
    async def handle(call: Call) -> None:
        async with call.batch() as batch:
            batch.answer()
            digits = batch.get_data("beep")
            assert not digits.done()
        assert (await digits).digits == "12"

    fake = FakeCall().on("get_data", "12")
    await fake.run(handle)
    assert fake.names == ["answer", "get_data"]


async def test_a_command_of_a_batch_that_was_not_sent_cannot_be_awaited() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(MisuseError, match=r"batch\.run"):
            await call.batch().answer()

    await FakeCall().run(handle)


async def test_a_command_that_waits_is_taken_back_when_its_awaiting_is_cancelled() -> None:
    stream = Stream()
    seen: list[str] = []

    async def handle(call: Call) -> None:
        first = call.stream_file("long")
        second = call.noop()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(second, 0.01)
        with pytest.raises(CommandError) as caught:
            await second
        seen.append(caught.value.code.name)
        await first

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    await stream.command()
    assert (await stream.control()).cancel.id == 2
    stream.result(1, playback=command_pb2.PlaybackResult())
    stream.error(2, command_pb2.CommandError.CODE_CANCELLED)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)
    assert seen == ["CANCELLED"]


async def test_a_command_is_not_taken_back_while_another_task_awaits_it() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        digit = call.wait_for_digit()

        async def watch() -> str | None:
            return await digit

        watchers = [asyncio.create_task(watch()) for _ in range(2)]
        await asyncio.sleep(0)
        watchers[0].cancel()
        assert await watchers[1] == "5"

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    await settle()
    assert stream.is_silent()
    stream.result(1, digit=command_pb2.DigitResult(digit="5"))
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_what_was_taken_back_before_it_was_sent_skips_what_requires_its_success() -> None:
    stream = Stream()
    codes: list[ErrorCode] = []

    async def handle(call: Call) -> None:
        first = call.noop()
        second, third, fourth = call.noop(), call.noop(requires_success=True), call.noop()
        second.cancel()
        await first
        for pending in (second, third):
            with pytest.raises(CommandError) as caught:
                await pending
            codes.append(caught.value.code)
        await fourth

    task = begin(stream, handle)
    stream.start(max_queued_commands=1)
    await stream.command()
    stream.result(1)
    assert (await stream.command()).id == 4
    stream.result(4)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)
    assert codes == [ErrorCode.CANCELLED, ErrorCode.SKIPPED]


async def test_options_travel_with_the_command() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        await call.get_data("beep", timeout=1.5, reply_timeout=2, requires_success=True)

    task = begin(stream, handle)
    stream.start()
    command = await stream.command()
    assert command.get_data.timeout.ToMilliseconds() == 1500
    assert command.timeout.ToMilliseconds() == 2000
    assert command.requires_success
    stream.close()
    assert (await over(task, fails=True)).code == "INTERNAL"


async def test_an_error_that_nobody_awaits_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(call: Call) -> None:
        call.stream_file("missing")
        await call.noop()

    with caplog.at_level("DEBUG", "agibridge"):
        await FakeCall().on("stream_file", ErrorCode.FAILED).run(handle)
    told = [record for record in caplog.records if "nobody awaited" in record.message]
    assert [record.levelname for record in told] == ["DEBUG"]
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_a_result_may_be_asked_for_without_awaiting() -> None:
    async def handle(call: Call) -> None:
        pending: Pending[str | None] = call.get_variable("X")
        with pytest.raises(MisuseError, match="await it"):
            pending.result()
        await pending
        assert pending.result() == "1"
        assert pending.exception() is None

    await FakeCall().on("get_variable", "1").run(handle)


async def test_tasks_of_a_handler_are_told_of_the_hangup() -> None:
    async def handle(call: Call) -> None:
        await asyncio.gather(call.wait_for_digit(), hang_up())

    async def hang_up() -> None:
        fake.hang_up()

    fake = FakeCall().on("wait_for_digit", NEVER)
    await fake.run(handle)
    assert isinstance(fake.error, HungUp)
