"""What a handler holds: the call, with its facts, commands, end and events; and batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from . import _convert as read
from . import _tracing
from ._commands import Commands
from ._enums import EndReason, ErrorCode
from ._machine import Machine
from ._pending import Pending, State
from ._prompts import Prompts
from ._proto import call_pb2, command_pb2
from .errors import AgiBridgeError, CallLost, CommandError, HungUp, MisuseError
from .types import Channel, Duration, Ended, Goto, Hangup, PressedDigit, Progress, Resumption, Started

T = TypeVar("T")


def _make(
    owner: Machine,
    name: str,
    command: command_pb2.Command,
    parse: Callable[[command_pb2.CommandResult], T],
    reply_timeout: Duration | None,
) -> Pending[T]:
    limit = read.duration(reply_timeout)
    if limit is not None:
        command.timeout.CopyFrom(limit)
    context = _tracing.active_context()
    if context:
        command.trace_context.update(context)
    return Pending(owner, name, command, parse)


class Call(Prompts):
    """One call. The handler is given it, drives it by its commands, and returns when it is done with it.

    Every AGI command is a method (see ``Commands``); a command is sent as its method is called, and ``await`` gives its
    result. Use a call only in its own handler, and in tasks that the handler started.
    """

    __slots__ = ("__weakref__", "_machine", "_started")

    def __init__(self, machine: Machine) -> None:
        """For the library: a call is made as the bridge opens its stream."""
        self._machine = machine
        self._started = machine.started or Started()

    def _submit(
        self,
        name: str,
        command: command_pb2.Command,
        parse: Callable[[command_pb2.CommandResult], T],
        reply_timeout: Duration | None,
        requires_success: bool,
    ) -> Pending[T]:
        pending = _make(self._machine, name, command, parse, reply_timeout)
        command.requires_success = requires_success
        self._machine.submit((pending,))
        return pending

    # The call's facts.

    @property
    def id(self) -> str:
        """Names this call in every log, span and metric of the bridge: a UUIDv7."""
        return self._started.call_id

    @property
    def route(self) -> str:
        """The route that matched, by its name in the bridge's configuration."""
        return self._started.route

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """What the route's path captured: ``/ivr/{tenant}`` gives ``tenant``."""
        return self._started.path_parameters

    @property
    def query_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """The query of the AGI URL; a repeated key keeps every value, in order."""
        return self._started.query_parameters

    def query(self, key: str, default: str = "") -> str:
        """Gives the first value of a query parameter, or the default."""
        return self._started.query_parameters.get(key, (default,))[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of AGI() after the URL."""
        return self._started.arguments

    @property
    def channel(self) -> Channel:
        """The channel, as it was at the start."""
        return self._started.channel

    @property
    def environment(self) -> Mapping[str, str]:
        """Every ``agi_`` line as Asterisk sent it, the prefix kept."""
        return self._started.environment

    @property
    def accepted_at(self) -> datetime | None:
        """When the bridge accepted the connection from Asterisk, in UTC."""
        return self._started.accepted_at

    @property
    def max_queued_commands(self) -> int:
        """How many commands the bridge takes before it has answered them; the library waits for room."""
        return self._started.max_queued_commands

    @property
    def resumption(self) -> Resumption | None:
        """None for a new call; after a loss or a handoff, what is needed to carry on."""
        return self._machine.resumption

    # What happens to it.

    @property
    def hung_up(self) -> bool:
        """True once the caller is gone."""
        return self._machine.hung_up

    @property
    def hangup(self) -> Hangup | None:
        """How the bridge knew of the hangup, and the grace that it gave; None while the caller is there."""
        return self._machine.hangup

    @property
    def draining(self) -> datetime | None:
        """By when the bridge would like the call to end, in UTC; None while it does not drain."""
        told = self._machine.draining
        return None if told is None else read.when(told.deadline)

    @property
    def ended(self) -> Ended | None:
        """How the session ended; None until then."""
        return self._machine.ended

    async def wait_hung_up(self) -> None:
        """Waits until the caller is gone. CommandError (CALL_ENDED) or CallLost when the session ends without that."""
        machine = self._machine
        await machine.until(lambda: machine.hung_up or machine.over())
        if not machine.hung_up:
            machine.raise_if_over("wait_hung_up")

    async def wait_draining(self) -> datetime:
        """Waits until the bridge drains, and gives the deadline. Raises as a command does when the session ends."""
        machine = self._machine
        await machine.until(lambda: machine.draining is not None or machine.over())
        deadline = self.draining
        if deadline is None:
            machine.raise_if_over("wait_draining")
            raise AssertionError("the session is over or the bridge drains")
        return deadline

    async def wait_ended(self) -> Ended:
        """Waits for the session's end, and gives how it ended. CallLost when the stream breaks or is released."""
        return await self._machine.until_over()

    def on_progress(self, listener: Callable[[Progress], None]) -> None:
        """Has a function called with what a command reports before its result, as GOSUB does."""
        self._machine.listeners.append(listener)

    # Keys between commands, on routes with `digits: true`.

    async def next_digit(self, timeout: Duration | None = None) -> PressedDigit | None:
        """Takes the oldest key that the caller pressed and nobody took, or waits for one; None after ``timeout``.

        ``timeout`` counts while no command runs or waits; there is none unless set. Up to 64 keys wait, in order, from
        the begin of this handler; newer ones are dropped, with a warning. A key that a command took is among them too.
        Once none waits: HungUp when the caller is gone, CommandError (CALL_ENDED) or CallLost when the session is over.
        """
        return await self._machine.next_digit(timeout.total_seconds() if isinstance(timeout, timedelta) else timeout)

    async def digits(self) -> AsyncIterator[PressedDigit]:
        """Gives the keys as ``next_digit`` does, until the caller is gone or the session is over."""
        while True:
            try:
                pressed = await self._machine.next_digit(None)
            except (HungUp, CallLost, CommandError):
                return
            if pressed is not None:
                yield pressed

    def take_digits(self) -> str:
        """Takes all keys that wait, without waiting for more: what was typed ahead. Empty when none wait."""
        return self._machine.take_digits()

    def interrupt(self) -> None:
        """Takes back what is not written to Asterisk yet (CANCELLED), and stops what runs there.

        That is asked once for each command, and waits for nothing. One that is stopped gives its result as if it had
        ended there by itself: a prompt no digit, GET DATA what was typed so far. Prompts, SAY, RECORD FILE,
        WAIT FOR DIGIT and GET DATA can be stopped, where the bridge has a link to Asterisk's manager; others go on.
        """
        self._machine.interrupt()

    # Its end.

    async def end(
        self,
        variables: Mapping[str, object] | None = None,
        *,
        goto: Goto | tuple[str, str, int] | None = None,
        hang_up: bool = False,
        fail: str | None = None,
    ) -> Ended:
        """Ends the session once the commands before have run, and gives how it ended.

        ``variables`` are set on the channel first. Then the dialplan goes on behind AGI() with AGISTATUS=SUCCESS; or at
        ``goto`` (a ``Goto``, or context, extension and priority); or the channel is hung up (``hang_up``); or the
        dialplan goes on with AGISTATUS=FAILURE and the reason ``fail`` in AGIBRIDGE_REASON. At most one of the three.

        Returns at once when the session has ended already. CallLost when the stream breaks; MisuseError when
        ``end`` or ``handoff`` was called before.
        """
        if sum((goto is not None, hang_up, fail is not None)) > 1:
            raise MisuseError("end() takes one of goto, hang_up and fail: the session ends in one way")
        end = call_pb2.EndCall(variables={name: str(value) for name, value in (variables or {}).items()})
        if goto is not None:
            place = goto if isinstance(goto, Goto) else Goto(*goto)
            end.goto_dialplan.context = place.context
            end.goto_dialplan.extension = place.extension
            end.goto_dialplan.priority = place.priority
        elif hang_up:
            end.hang_up.SetInParent()
        elif fail is not None:
            end.fail_dialplan.SetInParent()
            end.fail_dialplan.reason = fail
        if self.ended is not None:
            return self.ended
        return await self._machine.finish("end", call_pb2.CallControl(end=end))

    async def handoff(self, route: str, state: bytes | None = None) -> None:
        """Gives the call to another route at once, and returns when that one has it; commands are misuse then.

        ``route`` is a route's name, or a path as ``/sales/eu?lang=de``. ``state`` is the next handler's
        ``resumption.checkpoint``, at most the route's ``checkpoint_limit`` (64 KiB unless set). Commands that were not
        written to Asterisk are CANCELLED; a command that runs goes on, and its result goes to the next handler.
        HungUp or CommandError (CALL_ENDED) when the session ends instead, as for a route that does not exist.
        """
        self._machine.raise_if_over("handoff")
        handoff = call_pb2.Handoff(route=route, state=state)
        ended = await self._machine.finish("handoff", call_pb2.CallControl(handoff=handoff))
        if ended.reason is not EndReason.HANDOFF:
            if self.hung_up:
                raise read.hung_up_error("handoff", ended.detail)
            raise CommandError(ErrorCode.CALL_ENDED, ended.detail or ended.reason.name, "handoff")

    async def release(self, reason: str = "") -> None:
        """Leaves the call to another instance of the service, which gets the last checkpoint; then return.

        The stream ends with UNAVAILABLE. Where the route resumes no calls, its ``then`` decides what the caller hears.
        """
        self._machine.release(reason)

    async def checkpoint(self, state: bytes) -> None:
        """Keeps state for whoever resumes the call, in place of the one before.

        It accounts for every result that this handler has awaited: newer ones are kept behind it. At most the route's
        ``checkpoint_limit`` bytes (64 KiB unless set): one above that costs the call.
        """
        await self._machine.checkpoint(state)

    def batch(self, *, skip_after_error: bool = True) -> Batch:
        """Makes an empty batch: its commands are sent in one go.

        Each but the first runs only when the one before succeeded, unless ``skip_after_error`` is False.
        """
        return Batch(self._machine, skip_after_error)

    def __repr__(self) -> str:
        """Gives the call's id and route."""
        return f"<Call {self.id} on {self.route}>"


class Batch(Commands):
    """Commands that are sent in one go: one round trip between the bridge and the service.

    ::

        async with call.batch() as batch:
            batch.answer()
            pin = batch.get_data("vm-password", max_digits=4)
        print((await pin).digits)

    Leaving the block sends the commands, waits for all, and raises the error of the first that failed.
    Without the block, ``await batch.run()`` does that; ``batch.send()`` only sends, for whoever awaits each by itself.
    """

    __slots__ = ("_machine", "_pendings", "_sent", "_skip")

    def __init__(self, machine: Machine, skip_after_error: bool) -> None:
        """For the library: ``call.batch()`` makes one."""
        self._machine = machine
        self._skip = skip_after_error
        self._pendings: list[Pending[Any]] = []
        self._sent = False

    def _submit(
        self,
        name: str,
        command: command_pb2.Command,
        parse: Callable[[command_pb2.CommandResult], T],
        reply_timeout: Duration | None,
        requires_success: bool,
    ) -> Pending[T]:
        if self._sent:
            raise MisuseError("this batch was sent already: make another one with call.batch()")
        pending = _make(self._machine, name, command, parse, reply_timeout)
        command.requires_success = requires_success or (self._skip and bool(self._pendings))
        self._pendings.append(pending)
        return pending

    def send(self) -> None:
        """Sends the commands. Each handle then gives its own result or error. A batch is sent once."""
        if self._sent:
            raise MisuseError("this batch was sent already: make another one with call.batch()")
        self._machine.submit(self._pendings)
        self._sent = True

    async def run(self) -> None:
        """Sends the commands, waits for all, and raises the error of the first that failed, if any.

        When it is cancelled, the commands that were not written to Asterisk are taken back.
        """
        self.send()
        first: AgiBridgeError | None = None
        try:
            for pending in self._pendings:
                try:
                    await pending
                except AgiBridgeError as error:
                    first = first or error
        except asyncio.CancelledError:
            for pending in reversed(self._pendings):
                pending.cancel()
            raise
        if first is not None:
            raise first

    def __iter__(self) -> Iterator[Pending[Any]]:
        """Goes over the handles, in order."""
        return iter(self._pendings)

    def __len__(self) -> int:
        """Counts the commands."""
        return len(self._pendings)

    async def __aenter__(self) -> Batch:
        """Begins to collect commands."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Runs the batch, unless the block raised."""
        if kind is None and not self._sent:
            await self.run()
        elif kind is not None:
            for pending in self._pendings:
                if pending.state is State.HELD:
                    pending.cancel()
