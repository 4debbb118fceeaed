"""Every command of the contract is a method, whose arguments reach the contract and whose result comes back typed."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from agibridge import (
    Call,
    ChannelState,
    Commands,
    Digits,
    GosubReturn,
    Playback,
    RawReply,
    Recording,
    RecordingEnd,
    Speech,
    SpeechEnd,
    SpeechMatch,
    SpokenCase,
    TddMode,
)
from agibridge._commands import PARSERS
from agibridge._convert import duration
from agibridge._proto import command_pb2
from agibridge.testing import FakeCall

NOON = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)
STAMP = {"seconds": int(NOON.timestamp())}
SEEN = Speech(SpeechEnd.SPEECH, (SpeechMatch(87, "yes", "g"),), None, 8000)

# The method, its arguments, what the contract then has, and the result.
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any], Any]] = [
    ("answer", (), {}, {}, None),
    ("async_agi_break", (), {}, {}, None),
    ("channel_status", ("PJSIP/1",), {}, {"channel": "PJSIP/1"}, ChannelState.RINGING),
    (
        "control_stream_file",
        ("f", "12"),
        {"skip": 1.5, "forward_digit": "3", "rewind_digit": "1", "pause_digit": "2", "offset": timedelta(seconds=2)},
        {
            "file": "f",
            "escape_digits": "12",
            "skip": {"seconds": 1, "nanos": 500_000_000},
            "forward_digit": "3",
            "rewind_digit": "1",
            "pause_digit": "2",
            "offset": {"seconds": 2},
        },
        Playback("1", None, 1200),
    ),
    ("database_del", ("f", "k"), {}, {"family": "f", "key": "k"}, None),
    ("database_del_tree", ("f", "k"), {}, {"family": "f", "key_tree": "k"}, None),
    ("database_get", ("f", "k"), {}, {"family": "f", "key": "k"}, "v"),
    ("database_put", ("f", "k", "v"), {}, {"family": "f", "key": "k", "value": "v"}, None),
    ("exec", ("Dial", "a", "20"), {}, {"application": "Dial", "arguments": ["a", "20"]}, -1),
    (
        "get_data",
        ("f",),
        {"timeout": 5, "max_digits": 4},
        {"file": "f", "timeout": {"seconds": 5}, "max_digits": 4},
        Digits("12", timed_out=True),
    ),
    ("get_full_variable", ("${A}", "c"), {}, {"expression": "${A}", "channel": "c"}, ""),
    (
        "get_option",
        ("f", "12"),
        {"timeout": 0},
        {"file": "f", "escape_digits": "12", "timeout": {}},
        Playback("1", 800),
    ),
    ("get_variable", ("A",), {}, {"name": "A"}, None),
    (
        "gosub",
        ("c", "e", 2, "a", "b"),
        {},
        {"context": "c", "extension": "e", "priority": "2", "arguments": ["a", "b"]},
        GosubReturn("5", abnormal_exit=True),
    ),
    ("hang_up", ("c",), {}, {"channel": "c"}, None),
    ("noop", ("t",), {}, {"text": "t"}, None),
    ("receive_char", (), {"timeout": 1}, {"timeout": {"seconds": 1}}, "x"),
    ("receive_text", (), {"timeout": 1}, {"timeout": {"seconds": 1}}, None),
    (
        "record_file",
        ("f", "gsm", "#"),
        {"timeout": 60, "offset_samples": 8, "beep": True, "silence": 5},
        {
            "file": "f",
            "format": "gsm",
            "escape_digits": "#",
            "timeout": {"seconds": 60},
            "offset_samples": 8,
            "beep": True,
            "silence": {"seconds": 5},
        },
        Recording(RecordingEnd.DIGIT, "#", 16000),
    ),
    (
        "say_alpha",
        ("t", "1"),
        {"spoken_case": SpokenCase.UPPER},
        {"text": "t", "escape_digits": "1", "spoken_case": 3},
        "1",
    ),
    ("say_date", (NOON, "1"), {}, {"date": STAMP, "escape_digits": "1"}, None),
    (
        "say_date_time",
        (NOON, "1"),
        {"format": "ABdY", "time_zone": "Europe/Rome"},
        {"time": STAMP, "escape_digits": "1", "format": "ABdY", "time_zone": "Europe/Rome"},
        None,
    ),
    ("say_digits", ("12", "1"), {}, {"digits": "12", "escape_digits": "1"}, "1"),
    ("say_number", (-5, "1"), {"gender": "f"}, {"number": -5, "escape_digits": "1", "gender": "f"}, None),
    ("say_phonetic", ("t", "1"), {}, {"text": "t", "escape_digits": "1"}, None),
    ("say_time", (NOON, "1"), {}, {"time": STAMP, "escape_digits": "1"}, None),
    ("send_image", ("i",), {}, {"image": "i"}, None),
    ("send_text", ("t",), {}, {"text": "t"}, None),
    ("set_auto_hangup", (timedelta(minutes=1),), {}, {"after": {"seconds": 60}}, None),
    ("set_caller_id", ("n", "1"), {}, {"name": "n", "number": "1"}, None),
    ("set_context", ("c",), {}, {"context": "c"}, None),
    ("set_extension", ("e",), {}, {"extension": "e"}, None),
    ("set_music", (True, "m"), {}, {"on": True, "music_class": "m"}, None),
    ("set_priority", ("label",), {}, {"priority": "label"}, None),
    ("set_variable", ("n", "v"), {}, {"name": "n", "value": "v"}, None),
    ("speech_activate_grammar", ("g",), {}, {"grammar": "g"}, None),
    ("speech_create", ("e",), {}, {"engine": "e"}, None),
    ("speech_deactivate_grammar", ("g",), {}, {"grammar": "g"}, None),
    ("speech_destroy", (), {}, {}, None),
    ("speech_load_grammar", ("g", "p"), {}, {"grammar": "g", "path": "p"}, None),
    (
        "speech_recognize",
        ("p",),
        {"timeout": 5, "offset_samples": 8},
        {"prompt": "p", "timeout": {"seconds": 5}, "offset_samples": 8},
        SEEN,
    ),
    ("speech_set", ("n", "v"), {}, {"name": "n", "value": "v"}, None),
    ("speech_unload_grammar", ("g",), {}, {"grammar": "g"}, None),
    (
        "stream_file",
        ("f", "1"),
        {"offset_samples": 8},
        {"file": "f", "escape_digits": "1", "offset_samples": 8},
        Playback(None, 800),
    ),
    ("tdd_mode", (TddMode.MATE,), {}, {"mode": 3}, None),
    ("verbose", ("t", 3), {}, {"text": "t", "level": 3}, None),
    ("wait_for_digit", (), {"timeout": 0.25}, {"timeout": {"nanos": 250_000_000}}, "*"),
    ("raw", ("FOO bar",), {}, {"line": "FOO bar"}, RawReply(200, "1", "v", "200 result=1 (v)")),
]


@pytest.mark.parametrize(("name", "positional", "named", "wanted", "result"), CASES, ids=[case[0] for case in CASES])
async def test_arguments_reach_the_contract_and_the_result_comes_back(
    name: str, positional: tuple[Any, ...], named: dict[str, Any], wanted: dict[str, Any], result: Any
) -> None:
    async def handle(call: Call) -> None:
        assert await getattr(call, name)(*positional, **named) == result

    fake = FakeCall().on(name, result)
    await fake.run(handle)
    fields: dict[str, Any] = {name: wanted}
    message = command_pb2.Command(**fields)
    sent = {descriptor.name: value for descriptor, value in getattr(message, name).ListFields()}
    assert fake.commands[0].arguments == sent


def test_every_command_of_the_contract_has_a_method_and_a_case() -> None:
    of_contract = [field.name for field in command_pb2.Command.DESCRIPTOR.oneofs_by_name["command"].fields]
    assert len(of_contract) == 48
    assert set(of_contract) == set(PARSERS) == {case[0] for case in CASES}
    for name in of_contract:
        method = getattr(Commands, name)
        assert inspect.getdoc(method)
        parameters = inspect.signature(method).parameters
        assert {"reply_timeout", "requires_success"} <= set(parameters)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 1e10, timedelta(seconds=-1)])
def test_a_duration_that_is_none_is_refused_at_once(value: float | timedelta) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(value)


@pytest.mark.parametrize(("value", "nanos"), [(0.1, 100_000_000), (1.9999999, 0), (timedelta(microseconds=1), 1000)])
def test_durations_keep_microseconds(value: float | timedelta, nanos: int) -> None:
    made = duration(value)
    assert made is not None
    assert made.nanos == nanos


async def test_what_the_contract_cannot_hold_is_refused_at_once() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(ValueError, match="range"):
            call.stream_file("x", offset_samples=-1)
        with pytest.raises(ValueError, match="duration"):
            call.noop(reply_timeout=-1)
        wrong: Any = 5
        with pytest.raises(TypeError):
            call.noop(wrong)
        await call.noop()

    fake = FakeCall()
    await fake.run(handle)
    assert fake.names == ["noop"]
