"""The four samples, on fake calls."""

from __future__ import annotations

import pytest

import hello
import recorder
import router
import subtraction
from agibridge import Channel
from agibridge.testing import End, FakeCall

FILE = "/tmp/recorder-17.4"
CHANNEL = Channel(unique_id="17.4", caller_id_number="3200")


async def test_hello_says_the_number_if_there_is_one() -> None:
    fake = FakeCall(channel=CHANNEL)
    await fake.run(hello.handle)
    assert fake.names == ["answer", "stream_file", "say_digits"]
    fake = FakeCall(channel=Channel())
    await fake.run(hello.handle)
    assert fake.names == ["answer", "stream_file"]


async def test_subtraction_keeps_the_score() -> None:
    fake = FakeCall(query={"ask": "9-4,7-2,20-20"}).on("get_data", "5", "", "", "0")
    await fake.run(subtraction.handle)
    assert fake.end == End({"SCORE": "2/3"})
    files = [sent.arguments["file"] for sent in fake.commands if sent.name == "stream_file"]
    assert [file for file in files if file.startswith("auth")] == ["auth-thankyou", "auth-incorrect", "auth-thankyou"]
    assert files[-1] == "vm-goodbye"


async def test_subtraction_asks_three_sums_by_chance() -> None:
    fake = FakeCall()
    await fake.run(subtraction.handle)
    said = [sent.arguments["number"] for sent in fake.commands if sent.name == "say_number"]
    assert len(said) == 6
    assert all(5 <= a <= 20 and 1 <= b <= a for a, b in zip(said[::2], said[1::2], strict=True))
    assert fake.end == End({"SCORE": "0/3"})


async def test_recorder_hangs_up_without_the_pin() -> None:
    fake = FakeCall(query={"pin": "99"}).on("get_data", "1234")
    await fake.run(recorder.handle)
    assert fake.end == End(hang_up=True)
    assert fake.commands[-1].arguments["file"] == "vm-goodbye"


async def test_recorder_plays_and_records_again_until_the_message_is_kept() -> None:
    fake = FakeCall(channel=CHANNEL).on("get_data", "1234").on("get_option", "2", "3", "1")
    await fake.run(recorder.handle)
    assert fake.names == [
        "answer",
        "get_data",
        "record_file",
        "get_option",
        "stream_file",
        "get_option",
        "record_file",
        "get_option",
        "stream_file",
    ]
    assert fake.commands[4].arguments == {"file": FILE, "escape_digits": "123"}
    assert fake.end == End({"RECORDED": FILE})


@pytest.mark.parametrize("command", ["record_file", "get_option"])
async def test_recorder_keeps_what_was_recorded_before_the_hangup(command: str) -> None:
    fake = FakeCall(channel=CHANNEL).on("get_data", "1234").hang_up_at(command)
    await fake.run(recorder.handle)
    kept = [sent.arguments for sent in fake.commands if sent.name == "set_variable"]
    assert kept == ([{"name": "RECORDED", "value": FILE}] if command == "get_option" else [])


async def test_recorder_keeps_a_message_for_which_nothing_was_chosen() -> None:
    fake = FakeCall(channel=CHANNEL).on("get_data", "1234")
    await fake.run(recorder.handle)
    assert fake.commands[-1].arguments == {"name": "RECORDED", "value": FILE}


async def test_router_stores_how_it_went_also_after_the_hangup() -> None:
    fake = FakeCall(channel=CHANNEL, path_parameters={"department": "sales"}).on("get_variable", "ANSWER")
    await fake.hang_up_at("exec").run(router.handle)
    assert fake.names == ["exec", "get_variable", "database_put", "set_variable"]
    assert fake.commands[2].arguments == {"family": "router", "key": "17.4", "value": "sales:ANSWER"}


async def test_router_says_when_nobody_answered() -> None:
    fake = FakeCall(path_parameters={"department": "lab"}, query={"to": "Local/x@y"}).on("get_variable", "BUSY")
    await fake.run(router.handle)
    assert list(fake.commands[0].arguments["arguments"]) == ["Local/x@y", "20"]
    assert fake.commands[-1].arguments == {"file": "vm-nobodyavail"}


async def test_router_fails_for_a_department_that_is_not_there() -> None:
    fake = FakeCall(path_parameters={"department": "moon"})
    await fake.run(router.handle)
    assert fake.names == ["stream_file"]
    assert fake.end is not None
    assert fake.end.fail is not None
