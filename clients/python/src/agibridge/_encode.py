"""From this library's own results to the contract's, for fake calls: the reverse of what is read from the bridge."""

from __future__ import annotations

from typing import Any, cast

from ._commands import PARSERS
from ._convert import OUTCOMES
from ._enums import ChannelState, ErrorCode
from ._proto import command_pb2 as pb
from .errors import CommandError, HungUp
from .types import Digits, GosubReturn, Playback, RawReply, Recording, Speech

_KIND_OF = {parse: kind for kind, parse in OUTCOMES.items()}

KINDS: dict[str, str] = {command: _KIND_OF[parse] for command, parse in PARSERS.items()}
"""The kind of outcome that each command has."""


def encode(kind: str, value: Any) -> pb.CommandResult:
    """Makes a result of this kind; None is the plainest success. TypeError for a value that this kind cannot have."""
    if isinstance(value, HungUp):
        return _error(ErrorCode.HUNG_UP, "the caller is gone")
    if isinstance(value, CommandError):
        return _error(value.code, value.detail)
    if isinstance(value, ErrorCode):
        return _error(value, "as the test wants it")
    result = pb.CommandResult()
    getattr(result, kind).SetInParent()
    match kind, value:
        case "channel_status", None:
            result.channel_status.state = pb.CHANNEL_STATE_UP
        case _, None:
            pass
        case "playback", str():
            result.playback.digit = value
        case "playback", Playback():
            result.playback.digit = value.digit or ""
            if value.end_milliseconds is not None:
                result.playback.end_milliseconds = value.end_milliseconds
            elif value.end_samples is not None:
                result.playback.end_samples = value.end_samples
        case "digit", str():
            result.digit.digit = value
        case "digits", str():
            result.digits.digits = value
        case "digits", Digits():
            result.digits.digits = value.digits
            result.digits.timed_out = value.timed_out
        case "value", str():
            result.value.value = value
        case "text", str():
            result.text.text = value
        case "exec", int():
            result.exec.result = value
        case "gosub", str():
            result.gosub.return_value = value
        case "gosub", GosubReturn():
            result.gosub.return_value = value.return_value
            result.gosub.abnormal_exit = value.abnormal_exit
        case "channel_status", ChannelState():
            result.channel_status.state = pb.ChannelState.Value(f"CHANNEL_STATE_{value.name}")
        case "recording", Recording():
            result.recording.end = pb.RecordingResult.End.Value(f"END_{value.end.name}")
            result.recording.digit = value.digit or ""
            result.recording.end_samples = value.end_samples
        case "speech", Speech():
            result.speech.end = pb.SpeechResult.End.Value(f"END_{value.end.name}")
            result.speech.digit = value.digit or ""
            result.speech.end_samples = value.end_samples
            for match in value.matches:
                result.speech.matches.add(score=match.score, text=match.text, grammar=match.grammar)
        case "raw", RawReply():
            result.raw.code = value.code
            result.raw.result = value.result
            result.raw.text = value.text
            if value.value is not None:
                result.raw.value = value.value
        case _:
            raise TypeError(f"{value!r} is no result of a command whose outcome is {kind}")
    return result


def _error(code: ErrorCode, detail: str) -> pb.CommandResult:
    # As a plain number, since the contract's enums are open: this one may be of a newer contract.
    number = cast("pb.CommandError.Code.ValueType", int(code))
    return pb.CommandResult(error=pb.CommandError(code=number, detail=detail))
