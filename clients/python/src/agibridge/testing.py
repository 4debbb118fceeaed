"""A call for unit tests: no network, results by a script, and what the handler sent to be asserted on.

::

    async def test_a_right_pin_lets_in() -> None:
        fake = FakeCall(query={"tenant": "acme"})
        fake.on("get_data", Digits("1234"))
        await fake.run(handle)
        assert fake.names == ["answer", "get_data"]
        assert fake.end == End({"PIN_OK": "1"})
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ._commands import PARSERS
from ._convert import duration, moment
from ._encode import KINDS, encode
from ._enums import EndReason, ErrorCode, RecordingEnd
from ._machine import Close
from ._proto import call_pb2, command_pb2
from ._session import Handler, Session
from .errors import CommandError, HungUp, NoInput, is_hangup
from .types import Channel, Duration, Goto, Recording, Resumption

_WORKS_AFTER_HANGUP = {
    "async_agi_break",
    "database_del",
    "database_del_tree",
    "database_get",
    "database_put",
    "exec",
    "get_full_variable",
    "get_variable",
    "noop",
    "set_variable",
    "speech_destroy",
    "speech_unload_grammar",
    "verbose",
}


_CAN_BE_STOPPED = {
    "control_stream_file",
    "get_data",
    "get_option",
    "record_file",
    "stream_file",
    "wait_for_digit",
    *(name for name in PARSERS if name.startswith("say_")),
}

_KEYS = "0123456789*#ABCD"
# As long as a thumb takes.
_HELD = timedelta(milliseconds=100)


class Never:
    """The result of a command that runs until it is stopped by ``call.interrupt()``, or until the caller hangs up.

    ``fake.on("wait_for_digit", NEVER)``
    """


NEVER = Never()


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that the handler sent."""

    name: str
    """The name of its method."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What was set, by the contract's names and in its types."""


@dataclass(frozen=True, slots=True)
class End:
    """How the handler ended the session."""

    variables: Mapping[str, str] = field(default_factory=dict)
    goto: Goto | None = None
    hang_up: bool = False
    fail: str | None = None


class FakeCall:
    """Runs a handler on the library's own call machine, with the bridge's side played by a script.

    Commands succeed unless ``on`` says otherwise: prompts play to their end, nothing is pressed, variables are unset.
    """

    def __init__(
        self,
        *,
        route: str = "test",
        path_parameters: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        channel: Channel | None = None,
        environment: Mapping[str, str] | None = None,
        resumption: Resumption | None = None,
        max_queued_commands: int = 32,
        grace: Duration = 10.0,
        cleanup_timeout: float = 10.0,
    ) -> None:
        """Sets the call's facts; ``grace`` is what the handler has after a hangup before it is cancelled."""
        facts = channel or Channel(
            name="Fake/1", unique_id="1.1", type="Fake", context="default", extension="s", priority=1
        )
        self._started = call_pb2.CallStarted(
            call_id="00000000-0000-7000-8000-000000000000",
            route=route,
            path_parameters=path_parameters,
            query_parameters=[call_pb2.QueryParameter(key=key, value=value) for key, value in (query or {}).items()],
            arguments=arguments,
            channel=call_pb2.Channel(**{name: getattr(facts, name) for name in Channel.__slots__}),
            environment=environment,
            accepted_at=moment(datetime.now(timezone.utc)),
            max_queued_commands=max_queued_commands,
            resumption=None if resumption is None else _resumption(resumption),
        )
        self._grace = duration(grace)
        self._cleanup = cleanup_timeout
        self._script: dict[str, deque[Any]] = {}
        self._hang_up_at: tuple[str, int] | None = None
        self._hang_up_after: int | None = None
        self._pressed = ""
        self._bridge: _Bridge | None = None
        self.commands: list[Sent] = []
        """What the handler sent and the bridge ran, in order."""
        self.end: End | None = None
        """How the handler ended the session; None when it did not, or by returning."""
        self.checkpoints: list[bytes] = []
        """The states of all checkpoints."""
        self.handoff: tuple[str, bytes | None] | None = None
        """Route and state of a handoff."""
        self.released = False
        """True when the handler left the call to another instance."""
        self.error: Exception | None = None
        """What the handler raised."""
        self.cancelled = False
        """True when the handler was cancelled, its time being up."""

    @property
    def names(self) -> list[str]:
        """The names of the commands that the bridge ran, in order."""
        return [sent.name for sent in self.commands]

    def on(self, command: str, *results: Any) -> FakeCall:
        """Says what a command gives: each result once, in order, and the last one ever after.

        A result is what the command's method gives (for ``Digits``, ``Playback`` and ``GosubReturn`` their text will
        do), an ``ErrorCode`` or a ``CommandError``, ``HungUp`` (the caller hangs up as it runs), ``NEVER``, or a
        function that is given the command's arguments and gives one of these.
        """
        if command not in PARSERS:
            raise ValueError(f"there is no command {command!r}: name it as its method")
        if not results:
            raise ValueError(f"say at least one result of {command}")
        self._script[command] = deque(results)
        return self

    def hang_up_at(self, command: str, occurrence: int = 1) -> FakeCall:
        """Has the caller hang up while this command runs: the first of its name, or the n-th."""
        if command not in PARSERS:
            raise ValueError(f"there is no command {command!r}: name it as its method")
        self._hang_up_at = (command, occurrence)
        return self

    def hang_up_after(self, commands: int) -> FakeCall:
        """Has the caller hang up once so many commands have run; 0: before the first."""
        self._hang_up_after = commands
        return self

    def hang_up(self) -> None:
        """Has the caller hang up now, while ``run`` runs."""
        self._running().hang_up()

    def press(self, digits: str) -> FakeCall:
        """Has the caller press these keys now, or as the call begins when it does not run yet.

        They come by ``next_digit`` and ``take_digits``; what a command gives is said by ``on``.
        """
        wrong = [digit for digit in digits if digit not in _KEYS]
        if wrong:
            raise ValueError(f"there is no key {wrong[0]!r}: press some of {_KEYS}")
        if self._bridge is None:
            self._pressed += digits
        else:
            self._bridge.press(digits)
        return self

    def drain(self, deadline: datetime) -> None:
        """Has the bridge drain now, while ``run`` runs."""
        self._running().tell(call_pb2.CallEvent(draining=call_pb2.Draining(deadline=moment(deadline))))

    def lose(self) -> None:
        """Has the stream break now, while ``run`` runs."""
        self._running().lose()

    async def run(self, handler: Handler) -> None:
        """Runs the handler, and raises what it raised, but for the hangup and no-input errors: see ``error``."""

        async def watched(call: Any) -> None:
            try:
                await handler(call)
            except Exception as error:
                self.error = error
                raise
            except asyncio.CancelledError:
                self.cancelled = True
                raise

        bridge = self._bridge = _Bridge(self)
        close = await Session(bridge, watched, self._cleanup).run()
        self.released = close.code == "UNAVAILABLE"
        if self.error is not None and not (is_hangup(self.error) or isinstance(self.error, NoInput)):
            raise self.error

    def _running(self) -> _Bridge:
        if self._bridge is None:
            raise RuntimeError("the call does not run: begin with run()")
        return self._bridge


class _Bridge:
    """The bridge's side of a fake call, and the stream to it."""

    system = "fake"

    def __init__(self, fake: FakeCall) -> None:
        self.metadata: Mapping[str, str] = {}
        self._fake = fake
        self._events: deque[call_pb2.CallEvent] = deque([call_pb2.CallEvent(started=fake._started)])
        self._arrived = asyncio.Event()
        self._arrived.set()
        self._queue: deque[command_pb2.Command] = deque()
        self._running: command_pb2.Command | None = None  # one that never comes to its end
        self._hung_up = fake._started.resumption.hung_up
        self._last_failed = False
        self._ending: EndReason | None = None
        self._over = False
        self.press(fake._pressed)
        if fake._hang_up_after == 0:
            self.hang_up()

    async def receive(self) -> call_pb2.CallEvent | None:
        while not self._events:
            if self._over:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    async def send(self, control: call_pb2.CallControl) -> None:
        kind = control.WhichOneof("control")
        if kind == "command":
            self._queue.append(control.command)
        elif kind == "cancel":
            self._cancel(control.cancel)
        elif kind == "checkpoint":
            self._fake.checkpoints.append(control.checkpoint.state)
        elif kind == "end":
            self._fake.end = _end(control.end)
            self._ending = EndReason.SERVICE
        elif kind == "handoff":
            handoff = control.handoff
            self._fake.handoff = (handoff.route, handoff.state if handoff.HasField("state") else None)
            self._queue.clear()
            self._running = None
            self._ending = EndReason.HANDOFF
        self._step()

    async def finish(self, close: Close) -> None:
        """Has nothing to close."""

    def tell(self, event: call_pb2.CallEvent) -> None:
        self._events.append(event)
        self._arrived.set()

    def lose(self) -> None:
        self._over = True
        self._arrived.set()

    def press(self, digits: str) -> None:
        for digit in digits:
            pressed = call_pb2.Digit(digit=digit, duration=duration(_HELD))
            self.tell(call_pb2.CallEvent(digit=pressed))

    def hang_up(self) -> None:
        if not self._hung_up:
            self._hung_up = True
            source = call_pb2.Hangup.SOURCE_SIGNAL
            self.tell(call_pb2.CallEvent(hangup=call_pb2.Hangup(source=source, grace=self._fake._grace)))
        running, self._running = self._running, None
        if running is not None:
            self._answer(running, HungUp())
            self._step()

    def _step(self) -> None:
        """Runs what can be run."""
        while self._queue and self._running is None and not self._over:
            self._run(self._queue.popleft())
        if self._ending is not None and self._running is None and not self._over:
            reason = EndReason.HANGUP if self._hung_up and self._ending is EndReason.SERVICE else self._ending
            ended = call_pb2.CallEnded(commands=len(self._fake.commands))
            ended.reason = _REASONS[reason]
            self.tell(call_pb2.CallEvent(ended=ended))
            self.lose()

    def _run(self, command: command_pb2.Command) -> None:
        name = command.WhichOneof("command") or ""
        if command.requires_success and self._last_failed:
            self._answer(command, CommandError(ErrorCode.SKIPPED, "the command before it did not succeed"))
            return
        if self._hung_up and name not in _WORKS_AFTER_HANGUP:
            self._answer(command, HungUp())
            return
        fields = getattr(command, name)
        arguments = {descriptor.name: value for descriptor, value in fields.ListFields()}
        self._fake.commands.append(Sent(name, arguments))
        result = self._result(name, arguments)
        at = self._fake._hang_up_at
        if at is not None and at[0] == name and self._fake.names.count(name) == at[1]:
            result = HungUp()
        if result is NEVER:
            self._running = command
            return
        if isinstance(result, HungUp) or result is HungUp:
            self.hang_up()
            result = None if name in _WORKS_AFTER_HANGUP else HungUp()
        self._answer(command, result)
        if self._fake._hang_up_after == len(self._fake.commands):
            self.hang_up()

    def _result(self, name: str, arguments: Mapping[str, Any]) -> Any:
        script = self._fake._script.get(name)
        if script is None:
            return None
        result = script.popleft() if len(script) > 1 else script[0]
        return result(arguments) if callable(result) and not isinstance(result, type) else result

    def _answer(self, command: command_pb2.Command, value: Any) -> None:
        name = command.WhichOneof("command") or ""
        result = encode(KINDS[name], value)
        result.id = command.id
        result.hung_up = self._hung_up
        self._last_failed = result.HasField("error")
        self.tell(call_pb2.CallEvent(result=result))

    def _cancel(self, cancel: call_pb2.CancelCommand) -> None:
        running = self._running
        if running is not None and running.id == cancel.id:
            name = running.WhichOneof("command") or ""
            if cancel.interrupt and name in _CAN_BE_STOPPED:
                self._running = None
                self._answer(running, Recording(RecordingEnd.DIGIT) if name == "record_file" else None)
            return
        for command in self._queue:
            if command.id == cancel.id:
                self._queue.remove(command)
                self._answer(command, CommandError(ErrorCode.CANCELLED, "taken back before it was written"))
                return


_REASONS = {
    EndReason.SERVICE: call_pb2.CallEnded.REASON_SERVICE,
    EndReason.HANGUP: call_pb2.CallEnded.REASON_HANGUP,
    EndReason.HANDOFF: call_pb2.CallEnded.REASON_HANDOFF,
}


def _end(end: call_pb2.EndCall) -> End | None:
    which = end.WhichOneof("next")
    if which is None and not end.variables:
        return None
    goto = end.goto_dialplan
    return End(
        dict(end.variables),
        Goto(goto.context, goto.extension, goto.priority) if which == "goto_dialplan" else None,
        which == "hang_up",
        end.fail_dialplan.reason if which == "fail_dialplan" else None,
    )


def _resumption(before: Resumption) -> call_pb2.Resumption:
    message = call_pb2.Resumption(
        attempt=before.attempt,
        checkpoint=before.checkpoint,
        results_truncated=before.results_truncated,
        hung_up=before.hung_up,
        last_command_id=before.last_command_id,
    )
    message.cause = call_pb2.Resumption.Cause.Value(f"CAUSE_{before.cause.name}")
    for past in before.results:
        result = encode(past.kind, past.error if past.error is not None else past.value)
        result.id = past.id
        result.hung_up = past.hung_up
        message.results.append(result)
    return message
