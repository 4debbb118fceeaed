"""One call: ids, order, results, hangup and end. It knows no transport, no clock and no task of its own.

Events go in by ``on_event`` and ``lost``, controls come out by ``next_control``, as the contract's messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from . import _convert as read
from ._commands import PARSERS
from ._enums import EndReason, ErrorCode, ResumptionCause
from ._pending import Pending, State
from ._proto import call_pb2, command_pb2
from .errors import AgiBridgeError, CallLost, CommandError, MisuseError
from .types import Ended, Hangup, PressedDigit, Progress, Resumption, Started

log = logging.getLogger("agibridge")

# How many commands may wait here for room at the bridge. A program that sends more before any result is at fault.
WAITING_MAX = 10_000
# How many keys wait here to be taken; as many as the bridge keeps. A caller presses some ten a second at most.
DIGITS_MAX = 64
# How many controls may wait for the transport before a checkpoint has to wait for it.
OUTBOX_ROOM = 64


class ContractBroken(Exception):
    """The bridge did what the contract does not allow, and this stream cannot go on."""


@dataclass(frozen=True, slots=True)
class Close:
    """How the service's side of the stream ends."""

    code: str
    """``OK``, ``UNAVAILABLE`` (somebody else should take the call) or ``INTERNAL``."""
    detail: str = ""


OK = Close("OK")

current: ContextVar[Machine | None] = ContextVar("agibridge_call", default=None)
"""The call whose handler this code belongs to."""


class Machine:
    """The state of one call."""

    def __init__(self) -> None:
        """Makes a call that has not started."""
        self.loop = asyncio.get_running_loop()
        self.started: Started | None = None
        self.resumption: Resumption | None = None
        self.outbox: deque[call_pb2.CallControl] = deque()
        self.hung_up = False
        self.hangup: Hangup | None = None
        self.draining: call_pb2.Draining | None = None
        self.ended: Ended | None = None
        self.lost_because: str | None = None
        self.close: Close | None = None
        self.handler_done = False
        self.listeners: list[Callable[[Progress], None]] = []
        self._digits: deque[PressedDigit] = deque()
        self._digits_dropped = False
        self._digits_awaited = 0  # how many wait for a key
        self._idle_since = 0.0  # by the loop's clock, while keys are awaited
        self._finishing: str | None = None  # "end" or "handoff" once it is sent
        self._unanswered: dict[int, Pending[Any]] = {}
        self._waiting: deque[Pending[Any]] = deque()
        self._dropped = False  # the command before was taken back before it was sent
        self._last_id = 0
        self._received = 0  # the newest result that the handler has
        self._watchers: set[asyncio.Future[None]] = set()
        self._writer: asyncio.Future[None] | None = None

    # What the handler asks for.

    def check(self) -> None:
        """Raises MisuseError when whoever runs now has no business with this call."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self.loop:
            raise MisuseError(
                "a call may be used only in the event loop that serves it: "
                "from a thread, use asyncio.run_coroutine_threadsafe() with a coroutine that uses the call"
            )
        mine = current.get()
        if mine is not None and mine is not self:
            raise MisuseError(
                "this call belongs to another handler: use the call that was given to this one, "
                "and keep calls out of variables that handlers share"
            )
        if self.handler_done:
            raise MisuseError("the handler of this call has returned: await what uses the call before it returns")
        if self._finishing in ("handoff", "release"):
            what = "handed over to another route" if self._finishing == "handoff" else "released to another instance"
            raise MisuseError(f"this call was {what}: return from the handler")

    def submit(self, pendings: Iterable[Pending[Any]]) -> None:
        """Sends commands, those for which the bridge has no room yet once it has."""
        self.check()
        batch = list(pendings)
        if len(self._waiting) + len(batch) > WAITING_MAX:
            raise MisuseError(f"more than {WAITING_MAX} commands wait to be sent: await results before sending more")
        refusal = self._refusal()
        for pending in batch:
            self._last_id += 1
            pending.message.id = self._last_id
            if refusal is not None and not pending.done():
                pending.fail(refusal(pending.name))
            else:
                if not pending.done():
                    pending.state = State.WAITING
                self._waiting.append(pending)
        self._pump()

    def take_back(self, pending: Pending[Any]) -> None:
        """Takes a command back if it was not written to Asterisk yet."""
        if pending.state is not State.SENT:
            pending.fail(CommandError(ErrorCode.CANCELLED, "taken back before it was sent", pending.name))
            self._pump()
        elif pending.id in self._unanswered and self._is_open() and not pending.taken_back:
            pending.taken_back = True
            self._emit(call_pb2.CallControl(cancel=call_pb2.CancelCommand(id=pending.id)))

    def interrupt(self) -> None:
        """Takes back what was not written to Asterisk yet, and stops what runs there."""
        self.check()
        # The newest first: else the end of one would have the next one written.
        for pending in reversed(self._waiting):
            if not pending.done():
                pending.fail(CommandError(ErrorCode.CANCELLED, "taken back before it was sent", pending.name))
        if self._is_open():
            for pending in reversed(self._unanswered.values()):
                if not pending.interrupted:
                    pending.interrupted = True
                    cancel = call_pb2.CancelCommand(id=pending.id, interrupt=True)
                    self._emit(call_pb2.CallControl(cancel=cancel))
        self._pump()

    async def next_digit(self, timeout: float | None) -> PressedDigit | None:
        """Takes the oldest key that waits, or waits for one; None once nothing ran for so long."""
        self.check()
        asked = self.loop.time()
        self._digits_awaited += 1
        try:
            while not self._has_digit_news():
                if timeout is None:
                    await self.until(self._has_digit_news)
                elif self._is_busy():
                    await self.until(lambda: self._has_digit_news() or not self._is_busy())
                else:
                    deadline = max(asked, self._idle_since) + timeout
                    if deadline <= self.loop.time():
                        break
                    await self.until(self._has_digit_news, deadline)
        finally:
            self._digits_awaited -= 1
        self.check()
        if self._digits:
            return self._digits.popleft()
        self.raise_if_over("next_digit")
        if self.hung_up:
            raise read.hung_up_error("next_digit")
        return None

    def take_digits(self) -> str:
        """Takes all keys that wait."""
        self.check()
        taken = "".join(pressed.digit for pressed in self._digits)
        self._digits.clear()
        return taken

    def received(self, pending: Pending[Any]) -> None:
        """Notes that the handler has this result, for checkpoints."""
        if pending.answered:
            self._received = max(self._received, pending.id)

    async def checkpoint(self, state: bytes) -> None:
        """Keeps state for whoever resumes the call."""
        self.check()
        await self.until(lambda: len(self.outbox) < OUTBOX_ROOM or not self._is_open())
        self.raise_if_over("checkpoint")
        self._emit(
            call_pb2.CallControl(checkpoint=call_pb2.Checkpoint(state=state, last_result_id=self._received)),
        )

    async def finish(self, how: str, control: call_pb2.CallControl) -> Ended:
        """Sends ``end`` or ``handoff``, and waits for the session's end."""
        self.check()
        if self._finishing is not None and self.ended is None:
            raise MisuseError(f"the session is at its end already, by {self._finishing}(): call only one of them, once")
        await self.send_last(how, control)
        return await self.until_over()

    async def send_last(self, how: str, control: call_pb2.CallControl) -> None:
        """Sends ``end`` behind all that waits for room, or ``handoff`` ahead of it, unless there was one."""
        if self._finishing is None and self._is_open():
            self._finishing = how
            if how == "handoff":
                self._settle_waiting(lambda name: CommandError(ErrorCode.CANCELLED, "the call was handed over", name))
            await self.until(lambda: not self._waiting or self.over())
            if self._is_open():
                self._emit(control)

    async def until_over(self) -> Ended:
        """Waits for the session's end; CallLost when the stream ends without."""
        await self.until(self.over)
        if self.ended is None:
            raise self._lost_error()
        return self.ended

    def release(self, reason: str) -> None:
        """Leaves the call to another instance, as the handler wishes."""
        self.check()
        self.raise_if_over("release")
        self._finishing = "release"
        self.shut(Close("UNAVAILABLE", reason or "released to another instance"))

    def shut(self, close: Close) -> None:
        """Ends this side of the stream; what is in the outbox is still sent."""
        if self.close is None and not self.over():
            self.close = close
            self._settle(lambda _: self._lost_error())
            self._wake_writer()
            self.notify()

    # What the transport tells.

    def on_event(self, event: call_pb2.CallEvent) -> None:
        """Takes what the bridge sent. ContractBroken when it cannot be the beginning of a call."""
        kind = event.WhichOneof("event")
        if kind is None or self.over():
            return  # None: an event of a newer contract
        if kind == "heartbeat":
            # Where anything waits to be sent, proxies on the way see traffic enough.
            if self.started is not None and self._is_open() and not self.outbox:
                self._emit(call_pb2.CallControl(heartbeat=call_pb2.Heartbeat()))
            return
        if self.started is None and kind != "started":
            raise ContractBroken(f"the bridge sent {kind} before started")
        if kind == "started":
            self._on_started(event.started)
        elif kind == "result":
            self._on_result(event.result)
        elif kind == "progress":
            self._on_progress(event.progress)
        elif kind == "hangup":
            self.hung_up = True
            self.hangup = read.hangup(event.hangup)
        elif kind == "digit":
            self._on_digit(event.digit)
        elif kind == "draining":
            self.draining = event.draining
        elif kind == "ended":
            self._on_ended(event.ended)
        if kind != "result":
            self.notify()

    def lost(self, because: str) -> None:
        """Takes note that the stream is no more."""
        self.outbox.clear()
        if not self.over():
            self.lost_because = because
            self._settle(lambda _: self._lost_error())
            self.notify()
        self._wake_writer()

    def over(self) -> bool:
        """Tells whether nothing can come any more."""
        return self.ended is not None or self.lost_because is not None or self.close is not None

    async def until(self, met: Callable[[], bool], deadline: float | None = None) -> bool:
        """Waits until a condition on this call is met or the loop's clock is at the deadline; tells which."""
        late = False

        def ring() -> None:
            nonlocal late
            late = True
            self.notify()

        bell = None if deadline is None else self.loop.call_at(deadline, ring)
        try:
            while not (late or met()):
                watcher: asyncio.Future[None] = self.loop.create_future()
                self._watchers.add(watcher)
                try:
                    await watcher
                finally:
                    self._watchers.discard(watcher)
        finally:
            if bell is not None:
                bell.cancel()
        return met()

    def notify(self) -> None:
        """Wakes all that wait for a condition."""
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)

    def raise_if_over(self, what: str) -> None:
        """Raises what a command would fail with now."""
        refusal = self._refusal()
        if refusal is not None:
            raise refusal(what)

    # Inside.

    def _has_digit_news(self) -> bool:
        return bool(self._digits) or self.hung_up or self.over()

    def _is_busy(self) -> bool:
        return bool(self._unanswered or self._waiting)

    def _is_open(self) -> bool:
        return self.started is not None and not self.over()

    def _lost_error(self) -> CallLost:
        why = self.lost_because or (self.close.detail if self.close else "")
        return CallLost(
            f"the stream of this call is gone ({why}): clean up and return, another instance may have the call"
        )

    def _refusal(self) -> Callable[[str], AgiBridgeError] | None:
        """Gives what makes the error of a command that is not sent any more, or None while it is."""
        if self.ended is not None:
            detail = self.ended.detail or f"the session ended: {self.ended.reason.name}"
            if self.hung_up:
                return lambda name: read.hung_up_error(name, detail)
            return lambda name: CommandError(ErrorCode.CALL_ENDED, detail, name)
        if self.lost_because is not None or self.close is not None:
            return lambda _: self._lost_error()
        if self._finishing is not None:
            return lambda name: CommandError(ErrorCode.CALL_ENDED, "end() was called before it", name)
        return None

    def _on_started(self, message: call_pb2.CallStarted) -> None:
        if self.started is not None:
            log.warning("call %s: the bridge sent started again; ignored", self.started.call_id)
            return
        self.started = read.started(message)
        if message.HasField("resumption"):
            self._resume(message.resumption)

    def _resume(self, before: call_pb2.Resumption) -> None:
        self._last_id = before.last_command_id
        self._received = max((result.id for result in before.results), default=0)
        self.hung_up = before.hung_up
        running: Pending[Any] | None = None
        if before.HasField("running"):
            name = before.running.WhichOneof("command") or ""
            running = Pending(self, name, before.running, PARSERS.get(name, read.any_outcome))
            running.state = State.SENT
            self._last_id = max(self._last_id, before.running.id)
            self._unanswered[running.id] = running
        self.resumption = Resumption(
            ResumptionCause(before.cause),
            before.attempt,
            before.checkpoint if before.HasField("checkpoint") else None,
            tuple(read.past_result(result) for result in before.results),
            before.results_truncated,
            before.hung_up,
            before.last_command_id,
            running,
        )

    def _on_result(self, result: command_pb2.CommandResult) -> None:
        pending = self._unanswered.pop(result.id, None)
        if pending is None:
            # One that the service before had sent, or a fault of the bridge: nobody waits for it.
            log.debug("a result for command %d, for which nobody waits", result.id)
            return
        pending.answered = True
        if result.WhichOneof("outcome") == "error":
            pending.fail(read.command_error(result.error, pending.name, self.hung_up or result.hung_up))
        else:
            pending.resolve(result)
        self._pump()
        if self._digits_awaited and not self._is_busy():
            self._idle_since = self.loop.time()
            self.notify()

    def _on_progress(self, progress: command_pb2.CommandProgress) -> None:
        pending = self._unanswered.get(progress.id)
        told = Progress(progress.id, pending.name if pending else "", progress.text)
        for listener in list(self.listeners):
            try:
                listener(told)
            except Exception:
                log.exception("a listener to progress failed")

    def _on_digit(self, message: call_pb2.Digit) -> None:
        if len(self._digits) < DIGITS_MAX:
            self._digits.append(read.pressed_digit(message))
        elif not self._digits_dropped:
            self._digits_dropped = True
            log.warning(
                "call %s: %d keys of the caller wait to be taken, and newer ones are dropped: "
                "take them by next_digit() or take_digits(), or set no `digits` on the route",
                self.started.call_id if self.started else "",
                DIGITS_MAX,
            )

    def _on_ended(self, message: call_pb2.CallEnded) -> None:
        self.ended = read.ended(message)
        self.hung_up = self.hung_up or self.ended.reason is EndReason.HANGUP
        self.outbox.clear()
        refusal = self._refusal()
        if refusal is not None:
            self._settle(refusal)
        self._wake_writer()

    def _settle(self, error: Callable[[str], AgiBridgeError]) -> None:
        """Fails every command that has no result."""
        left = list(self._unanswered.values())
        self._unanswered.clear()
        for pending in left:
            pending.fail(error(pending.name))
        self._settle_waiting(error)

    def _settle_waiting(self, error: Callable[[str], AgiBridgeError]) -> None:
        left = list(self._waiting)
        self._waiting.clear()
        for pending in left:
            if not pending.done():
                pending.fail(error(pending.name))

    def _pump(self) -> None:
        """Sends of what waits as much as the bridge has room for."""
        if not self._waiting or self.started is None:
            return
        while self._waiting and len(self._unanswered) < self.started.max_queued_commands:
            pending = self._waiting.popleft()
            if pending.done():
                self._dropped = True
            elif self._dropped and pending.message.requires_success:
                pending.fail(CommandError(ErrorCode.SKIPPED, "the command before it was taken back", pending.name))
            else:
                self._dropped = False
                pending.state = State.SENT
                self._unanswered[pending.id] = pending
                self._emit(call_pb2.CallControl(command=pending.message))
        if not self._waiting and self._finishing is not None:
            self.notify()

    def _emit(self, control: call_pb2.CallControl) -> None:
        self.outbox.append(control)
        self._wake_writer()

    async def next_control(self) -> call_pb2.CallControl | None:
        """Waits for the next control that is to be sent; None once there are none to come."""
        while not self.outbox:
            if self.over():
                return None
            self._writer = self.loop.create_future()
            await self._writer
        if len(self.outbox) == OUTBOX_ROOM:
            self.loop.call_soon(self.notify)
        return self.outbox.popleft()

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
