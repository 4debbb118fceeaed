"""Between the contract's messages and this library's own types."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from google.protobuf.duration_pb2 import Duration as PbDuration
from google.protobuf.timestamp_pb2 import Timestamp

from ._enums import ChannelState, EndReason, ErrorCode, HangupSource, RecordingEnd, SpeechEnd
from ._proto import call_pb2, command_pb2
from .errors import AgiBridgeError, CommandError, HungUp
from .types import (
    Channel,
    Digits,
    Duration,
    Ended,
    GosubReturn,
    Hangup,
    PastResult,
    Playback,
    PressedDigit,
    RawReply,
    Recording,
    Speech,
    SpeechMatch,
    Started,
)

Result = command_pb2.CommandResult


def duration(value: Duration | None) -> PbDuration | None:
    """Gives a length of time as the contract has it; ValueError for one that is none."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not (math.isfinite(value) and 0 <= value < 1e9):
        raise ValueError(f"a duration must be seconds from 0 to a thousand million, not {value!r}")
    whole = int(value)
    nanos = round((value - whole) * 1e6) * 1000
    carry, nanos = divmod(nanos, 1_000_000_000)
    return PbDuration(seconds=whole + carry, nanos=nanos)


def moment(value: datetime) -> Timestamp:
    """Gives a moment as the contract has it; one without a zone is local time, as everywhere in Python."""
    stamp = Timestamp()
    stamp.FromDatetime(value.astimezone(timezone.utc))
    return stamp


def span(value: PbDuration) -> timedelta:
    """Gives the contract's length of time as Python's; the longest there is for one that does not fit."""
    try:
        return timedelta(seconds=value.seconds, microseconds=value.nanos / 1000)
    except OverflowError:
        return timedelta.max


def when(value: Timestamp) -> datetime:
    """Gives the contract's moment as Python's, in UTC; the last there is for one that does not fit."""
    try:
        return datetime.fromtimestamp(value.seconds + value.nanos / 1e9, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=timezone.utc)


def expect(result: Result, kind: str) -> None:
    """Raises when the outcome is of another kind than the command has."""
    given = result.WhichOneof("outcome")
    if given != kind:
        what = f"with {given}" if given else "in a way that only a newer version of this library knows"
        raise CommandError(ErrorCode.PROTOCOL_ERROR, f"the bridge answered {what} where {kind} was due")


def done(result: Result) -> None:
    """Reads the outcome of a command that says no more."""
    expect(result, "done")


def playback(result: Result) -> Playback:
    """Reads how a prompt ended."""
    expect(result, "playback")
    it = result.playback
    return Playback(
        it.digit or None,
        it.end_samples if it.HasField("end_samples") else None,
        it.end_milliseconds if it.HasField("end_milliseconds") else None,
    )


def digit(result: Result) -> str | None:
    """Reads a digit, or None."""
    expect(result, "digit")
    return result.digit.digit or None


def digits(result: Result) -> Digits:
    """Reads what the caller entered."""
    expect(result, "digits")
    return Digits(result.digits.digits, result.digits.timed_out)


def value(result: Result) -> str | None:
    """Reads a variable's or key's value, or None."""
    expect(result, "value")
    return result.value.value if result.value.HasField("value") else None


def channel_status(result: Result) -> ChannelState:
    """Reads a channel's state."""
    expect(result, "channel_status")
    return ChannelState(result.channel_status.state)


def exec_(result: Result) -> int:
    """Reads what an application returned."""
    expect(result, "exec")
    return result.exec.result


def recording(result: Result) -> Recording:
    """Reads how a recording ended."""
    expect(result, "recording")
    it = result.recording
    return Recording(RecordingEnd(it.end), it.digit or None, it.end_samples)


def text(result: Result) -> str | None:
    """Reads text, or None."""
    expect(result, "text")
    return result.text.text if result.text.HasField("text") else None


def speech(result: Result) -> Speech:
    """Reads what was heard."""
    expect(result, "speech")
    it = result.speech
    matches = tuple(SpeechMatch(match.score, match.text, match.grammar) for match in it.matches)
    return Speech(SpeechEnd(it.end), matches, it.digit or None, it.end_samples)


def gosub(result: Result) -> GosubReturn:
    """Reads how a subroutine ended."""
    expect(result, "gosub")
    return GosubReturn(result.gosub.return_value, result.gosub.abnormal_exit)


def raw(result: Result) -> RawReply:
    """Reads Asterisk's own reply."""
    expect(result, "raw")
    it = result.raw
    return RawReply(it.code, it.result, it.value if it.HasField("value") else None, it.text)


OUTCOMES: dict[str, Callable[[Result], Any]] = {
    "done": done,
    "playback": playback,
    "digit": digit,
    "digits": digits,
    "value": value,
    "channel_status": channel_status,
    "exec": exec_,
    "recording": recording,
    "text": text,
    "speech": speech,
    "gosub": gosub,
    "raw": raw,
}


def any_outcome(result: Result) -> Any:
    """Reads an outcome of whatever kind it has."""
    kind = result.WhichOneof("outcome") or ""
    read = OUTCOMES.get(kind)
    if read is None:
        expect(result, "an outcome that this version of the library knows")
        return None
    return read(result)


def command_error(error: command_pb2.CommandError, command: str, hung_up: bool) -> AgiBridgeError:
    """Makes the error that a command's handle raises."""
    code = ErrorCode(error.code)
    if code is ErrorCode.HUNG_UP or (code is ErrorCode.CALL_ENDED and hung_up):
        return hung_up_error(command, error.detail)
    return CommandError(code, error.detail, command)


def hung_up_error(command: str, detail: str = "") -> HungUp:
    """Makes the error that tells of the hangup."""
    more = f" ({detail})" if detail else ""
    return HungUp(
        f"the caller is gone, {command or 'the command'} needs a live call{more}: store what must be, and return"
    )


def past_result(result: Result) -> PastResult:
    """Makes what a resumption tells about a command of the service before."""
    kind = result.WhichOneof("outcome") or ""
    if kind == "error":
        error = command_error(result.error, f"command {result.id}", result.hung_up)
        return PastResult(result.id, kind, error=error, hung_up=result.hung_up)
    read = OUTCOMES.get(kind)
    return PastResult(result.id, kind if read else "", read(result) if read else None, hung_up=result.hung_up)


def pressed_digit(message: call_pb2.Digit) -> PressedDigit:
    """Reads the event of that name."""
    return PressedDigit(message.digit, max(span(message.duration), timedelta(0)))


def hangup(message: call_pb2.Hangup) -> Hangup:
    """Reads the event of that name."""
    return Hangup(HangupSource(message.source), max(span(message.grace), timedelta(0)))


def ended(message: call_pb2.CallEnded) -> Ended:
    """Reads the event of that name."""
    return Ended(EndReason(message.reason), message.detail, span(message.duration), message.commands)


def started(message: call_pb2.CallStarted) -> Started:
    """Reads a call's facts."""
    query: dict[str, list[str]] = {}
    for parameter in message.query_parameters:
        query.setdefault(parameter.key, []).append(parameter.value)
    return Started(
        message.call_id,
        message.route,
        dict(message.path_parameters),
        {key: tuple(values) for key, values in query.items()},
        tuple(message.arguments),
        channel(message.channel),
        dict(message.environment),
        when(message.accepted_at) if message.HasField("accepted_at") else None,
        message.max_queued_commands or 1,
        trace_context=dict(message.trace_context),
    )


def channel(message: call_pb2.Channel) -> Channel:
    """Reads a channel's facts."""
    return Channel(
        message.name,
        message.unique_id,
        message.type,
        message.language,
        message.caller_id_number,
        message.caller_id_name,
        message.dialed_number,
        message.redirecting_number,
        message.context,
        message.extension,
        message.priority,
        message.account_code,
        message.asterisk_version,
    )
