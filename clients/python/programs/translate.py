"""Between the JSON of conformance scripts and the library's methods, results and facts."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from agibridge import (
    Call,
    ChannelState,
    CommandError,
    Commands,
    Digits,
    GosubReturn,
    HungUp,
    Pending,
    Playback,
    RawReply,
    Recording,
    Speech,
    SpokenCase,
    TddMode,
)
from agibridge._proto import command_pb2

JSON = dict[str, Any]


def command(script: JSON) -> tuple[str, Callable[[Commands], Pending[Any]]]:
    """Gives a command's name, and what calls its method on a call or a batch."""
    message = ParseDict(script, command_pb2.Command())
    name = message.WhichOneof("command")
    if name is None:
        raise RuntimeError(f"no command in {script}")
    fields = getattr(message, name)
    positional: tuple[str, ...] = ()
    named: JSON = {}
    for descriptor in fields.DESCRIPTOR.fields:
        if descriptor.has_presence and not fields.HasField(descriptor.name):
            continue
        value = getattr(fields, descriptor.name)
        if descriptor.name == "arguments":
            positional = tuple(value)
        else:
            named[descriptor.name] = _native(descriptor.name, value)
    if positional:  # they stand behind the others: exec, gosub
        positional = (*named.values(), *positional)
        named = {}
    if message.HasField("timeout"):
        named["reply_timeout"] = message.timeout.ToTimedelta()
    if message.requires_success:
        named["requires_success"] = True
    return name, lambda target: getattr(target, name)(*positional, **named)


def _native(name: str, value: Any) -> Any:
    if isinstance(value, Duration):
        return value.ToTimedelta()
    if isinstance(value, Timestamp):
        return value.ToDatetime(timezone.utc)
    if name == "spoken_case":
        return SpokenCase(value)
    if name == "mode":
        return TddMode(value)
    return value


def seconds(text: str) -> float:
    """Reads a duration of ProtoJSON."""
    return float(text.removesuffix("s"))


def options(argument: JSON, *names: str) -> JSON:
    """Gives a helper's options; what is absent takes the default."""
    given: JSON = {}
    for name in names:
        if name in argument:
            value = argument[name]
            given["max_digits" if name == "maxDigits" else name] = seconds(value) if name == "timeout" else value
    return given


def proto_duration(value: timedelta) -> str:
    """Writes a duration of ProtoJSON."""
    message = Duration()
    message.FromTimedelta(value)
    return message.ToJsonString()


def outcome(name: str, result: Any) -> JSON:
    """Gives a command's typed result as the contract's outcome in ProtoJSON, or a helper's."""
    match name:
        case "play":
            return {"play": _set(digit=result)}
        case "ask":
            return {"ask": {"digits": result}}
        case "menu":
            return {"menu": {"choice": result}}
        case "confirm":
            return {"confirm": {"yes": result}}
        case "nextDigit":
            held = {} if result is None else {"heldMs": result.duration // timedelta(milliseconds=1)}
            return {"nextDigit": _set(digit=result and result.digit) | held}
        case "exec":
            return {"exec": _set(result=result)}
        case "get_variable" | "get_full_variable" | "database_get":
            return {"value": {} if result is None else {"value": result}}
        case "receive_char" | "receive_text":
            return {"text": {} if result is None else {"text": result}}
    if name == "wait_for_digit" or name.startswith("say_"):
        return {"digit": _set(digit=result)}
    return _by_type(result)


def _by_type(result: Any) -> JSON:
    match result:
        case None:
            return {"done": {}}
        case ChannelState():
            return {"channelStatus": {"state": f"CHANNEL_STATE_{result.name}"}}
        case Playback(digit, samples, milliseconds):
            ends = {"endSamples": samples, "endMilliseconds": milliseconds}
            return {"playback": _set(digit=digit) | {key: end for key, end in ends.items() if end is not None}}
        case Digits(digits, timed_out):
            return {"digits": _set(digits=digits, timedOut=timed_out)}
        case Recording(end, digit, samples):
            return {"recording": _set(end=end and f"END_{end.name}", digit=digit, endSamples=samples)}
        case GosubReturn(value, abnormal):
            return {"gosub": _set(abnormalExit=abnormal, returnValue=value)}
        case Speech(end, matches, digit, samples):
            heard = [_set(score=one.score, text=one.text, grammar=one.grammar) for one in matches]
            return {"speech": _set(end=end and f"END_{end.name}", matches=heard, digit=digit, endSamples=samples)}
        case RawReply(code, word, value, text):
            return {"raw": _set(code=code, result=word, text=text) | ({} if value is None else {"value": value})}
    raise RuntimeError(f"a result of no known kind: {result!r}")


def _set(**fields: Any) -> JSON:
    """Leaves out what is at its default, as ProtoJSON does."""
    return {name: value for name, value in fields.items() if value}


def _past(kind: str, value: Any) -> JSON:
    """Gives a result of the service before, of which only the kind is known."""
    names = {"digit": "wait_for_digit", "value": "get_variable", "text": "receive_text", "exec": "exec"}
    return outcome(names.get(kind, ""), value)


def started(call: Call) -> JSON:
    """Gives the call's facts as the contract has them."""
    channel = call.channel
    return {
        "callId": call.id,
        "route": call.route,
        "pathParameters": dict(call.path_parameters),
        "queryParameters": {key: list(values) for key, values in call.query_parameters.items()},
        "arguments": list(call.arguments),
        "channel": _set(
            name=channel.name,
            uniqueId=channel.unique_id,
            type=channel.type,
            language=channel.language,
            callerIdNumber=channel.caller_id_number,
            callerIdName=channel.caller_id_name,
            dialedNumber=channel.dialed_number,
            redirectingNumber=channel.redirecting_number,
            context=channel.context,
            extension=channel.extension,
            priority=channel.priority,
            accountCode=channel.account_code,
            asteriskVersion=channel.asterisk_version,
        ),
        "environment": dict(call.environment),
        "maxQueuedCommands": call.max_queued_commands,
    }


def resumption(call: Call) -> JSON | None:
    """Gives what a call's resumption says, or None."""
    before = call.resumption
    if before is None:
        return None
    results: list[JSON] = []
    for past in before.results:
        if past.error is None:
            result = _past(past.kind, past.value)
        elif isinstance(past.error, HungUp):
            result = {"error": {"code": "CODE_HUNG_UP", "detail": str(past.error)}}
        else:
            code = past.error.code.name if isinstance(past.error, CommandError) else type(past.error).__name__
            result = {"error": {"code": f"CODE_{code}", "detail": str(past.error)}}
        results.append({"id": past.id} | _set(hungUp=past.hung_up) | result)
    given = {
        "cause": f"CAUSE_{before.cause.name}",
        "attempt": before.attempt,
        "results": results,
        "resultsTruncated": before.results_truncated,
        "hungUp": before.hung_up,
        "lastCommandId": before.last_command_id,
    }
    if before.checkpoint is not None:
        given["checkpoint"] = base64.b64encode(before.checkpoint).decode()
    if before.running is not None:
        given["running"] = before.running.id
    return given


def hangup(call: Call) -> JSON | None:
    """Gives the hangup that the library told, or None."""
    if call.hangup is None:
        return None
    return {"source": f"SOURCE_{call.hangup.source.name}", "grace": proto_duration(call.hangup.grace)}


def ended(call: Call) -> JSON | None:
    """Gives how the session ended, or None."""
    if call.ended is None:
        return None
    return {
        "reason": f"REASON_{call.ended.reason.name}",
        "detail": call.ended.detail,
        "duration": proto_duration(call.ended.duration),
        "commands": call.ended.commands,
    }
