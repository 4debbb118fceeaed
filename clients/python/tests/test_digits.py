"""Keys that the caller presses between commands, and commands that are stopped for them."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from agibridge import Call, CallLost, CommandError, ErrorCode, HungUp, MisuseError, Recording, RecordingEnd
from agibridge._machine import DIGITS_MAX
from agibridge._proto import call_pb2, command_pb2
from agibridge.testing import NEVER, FakeCall
from stream import Stream, begin, over, settle


def press(stream: Stream, digits: str) -> None:
    for digit in digits:
        pressed = call_pb2.Digit(digit=digit)
        pressed.duration.FromMilliseconds(120)
        stream.say(digit=pressed)


async def test_keys_are_taken_in_their_order_and_waited_for() -> None:
    stream = Stream()
    taken = []

    async def handle(call: Call) -> None:
        while (pressed := await call.next_digit()) is not None and pressed.digit != "#":
            taken.append((str(pressed), pressed.duration))

    task = begin(stream, handle)
    stream.start()
    press(stream, "12")
    await settle()
    assert taken == [("1", timedelta(milliseconds=120)), ("2", timedelta(milliseconds=120))]
    press(stream, "3#")
    assert (await stream.control()).HasField("end")
    assert [digit for digit, _ in taken] == ["1", "2", "3"]
    stream.end()
    await over(task)


async def test_what_was_typed_ahead_is_taken_at_once_and_once() -> None:
    async def handle(call: Call) -> None:
        await call.answer()
        assert (call.take_digits(), call.take_digits()) == ("12#", "")
        assert await call.next_digit(timeout=0) is None

    await FakeCall().press("12#").run(handle)


async def test_the_time_for_a_key_begins_when_nothing_runs_any_more() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        call.stream_file("menu")
        assert await call.next_digit(timeout=0) is None

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    await settle()
    assert stream.is_silent()
    stream.result(1, playback=command_pb2.PlaybackResult())
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_a_prompt_is_stopped_as_soon_as_a_key_comes() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        prompt = call.stream_file("menu")
        pressed = await call.next_digit(timeout=5)
        call.interrupt()
        call.interrupt()
        assert pressed is not None
        assert pressed.digit == "7"
        assert (await prompt).digit is None

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    press(stream, "7")
    cancel = (await stream.control()).cancel
    assert (cancel.id, cancel.interrupt) == (1, True)
    await settle()
    assert stream.is_silent()
    stream.result(1, playback=command_pb2.PlaybackResult())
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_interrupt_takes_back_what_waits_the_newest_first() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        prompts = [call.stream_file(file) for file in "abc"]
        await call.next_digit()
        call.interrupt()
        with pytest.raises(CommandError) as refused:
            await prompts[2]
        assert refused.value.code == ErrorCode.CANCELLED
        await prompts[0]
        await call.noop()

    task = begin(stream, handle)
    stream.start(max_queued_commands=2)
    assert [(await stream.command()).id, (await stream.command()).id] == [1, 2]
    press(stream, "1")
    assert [(await stream.control()).cancel.id, (await stream.control()).cancel.id] == [2, 1]
    stream.result(1, playback=command_pb2.PlaybackResult())
    stream.error(2, command_pb2.CommandError.CODE_CANCELLED)
    assert (await stream.command()).id == 4
    stream.result(4)
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_keys_before_the_hangup_are_there_after_it() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        await call.wait_hung_up()
        assert str(await call.next_digit()) == "1"
        with pytest.raises(HungUp):
            await call.next_digit()
        assert call.take_digits() == ""

    task = begin(stream, handle)
    stream.start()
    press(stream, "1")
    stream.hang_up()
    assert (await stream.control()).HasField("end")
    stream.end(call_pb2.CallEnded.REASON_HANGUP)
    await over(task)


@pytest.mark.parametrize("how", ["hangup", "end", "loss"])
async def test_whoever_waits_for_a_key_is_told_that_none_comes(how: str) -> None:
    stream = Stream()
    error = {"hangup": HungUp, "end": CommandError, "loss": CallLost}[how]

    async def handle(call: Call) -> None:
        iterated = [str(pressed) async for pressed in call.digits()]
        assert iterated == ["5"]
        with pytest.raises(error):
            await call.next_digit(timeout=60)

    task = begin(stream, handle)
    stream.start()
    press(stream, "5")
    if how == "hangup":
        stream.hang_up()
        await stream.control()
    if how == "loss":
        stream.break_()
    else:
        stream.end()
    await over(task)


async def test_more_keys_than_are_taken_are_dropped_and_the_first_ones_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = Stream()
    go = asyncio.Event()

    async def handle(call: Call) -> None:
        await call.noop()
        assert call.take_digits() == "1" * DIGITS_MAX

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    press(stream, "1" * DIGITS_MAX + "23")
    stream.result(1)
    go.set()
    with caplog.at_level(logging.WARNING, "agibridge"):
        assert (await stream.control()).HasField("end")
    assert len(caplog.records) == 1
    stream.end()
    await over(task)


async def test_to_give_up_waiting_leaves_the_key_to_the_next_one() -> None:
    stream = Stream()

    async def handle(call: Call) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call.next_digit(), 0.01)
        assert (await call.get_data("pin")).digits == ""
        assert str(await call.next_digit()) == "4"

    task = begin(stream, handle)
    stream.start()
    await stream.command()
    press(stream, "4")
    stream.result(1, digits=command_pb2.DigitsResult())
    assert (await stream.control()).HasField("end")
    stream.end()
    await over(task)


async def test_keys_are_misuse_after_a_handoff() -> None:
    async def handle(call: Call) -> None:
        await call.handoff("/sales", call.take_digits().encode())
        with pytest.raises(MisuseError):
            await call.next_digit()
        with pytest.raises(MisuseError):
            call.interrupt()

    fake = FakeCall().press("99")
    await fake.run(handle)
    assert fake.handoff == ("/sales", b"99")


async def test_a_fake_call_presses_keys_and_lets_commands_be_stopped() -> None:
    fake = FakeCall()

    async def handle(call: Call) -> None:
        recording = call.record_file("message", "wav")
        dial = call.exec("Dial", "PJSIP/1")
        fake.press("1")
        assert str(await call.next_digit()) == "1"
        call.interrupt()
        assert await recording == Recording(RecordingEnd.DIGIT)
        with pytest.raises(CommandError):
            await dial
        await call.say_number(3)

    await fake.on("record_file", NEVER).run(handle)
    assert fake.names == ["record_file", "say_number"]


def test_a_fake_call_has_no_other_keys() -> None:
    with pytest.raises(ValueError, match="there is no key 'x'"):
        FakeCall().press("1x")
