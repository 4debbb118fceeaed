"""Runs one call over any transport: reads, writes, the handler, its grace and its end."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol, TypeAlias

from . import _tracing
from ._call import Call
from ._machine import OK, Close, ContractBroken, Machine, current
from ._proto import call_pb2
from .errors import CallLost, MisuseError, NoInput, is_hangup

log = logging.getLogger("agibridge")

Handler: TypeAlias = Callable[[Call], Awaitable[object]]
"""What drives a call: ``async def handle(call: Call) -> None``."""

# The bridge sends `started` as it opens the stream.
STARTED_TIMEOUT = 30.0
# How long a cancelled handler has to come to its end before it is reported and left behind.
CANCEL_TIMEOUT = 2.0
# How long what is in the outbox may take to leave once nothing more is to come.
FLUSH_TIMEOUT = 5.0


class LinkLost(Exception):
    """The stream broke; the text says how."""


class Link(Protocol):
    """The stream of one call, whatever carries it."""

    metadata: Mapping[str, str]
    """What came with the stream, names in lower case."""
    system: str
    """What carries it, for telemetry, as ``grpc``."""

    async def receive(self) -> call_pb2.CallEvent | None:
        """Waits for the next event; None at the end of the stream. LinkLost when it broke."""

    async def send(self, control: call_pb2.CallControl) -> None:
        """Sends a control, and waits until there is room. LinkLost when the stream broke."""

    async def finish(self, close: Close) -> None:
        """Ends the service's side, where that is the link's part; ``receive`` may still be waiting. Never raises."""


class Session:
    """One call from the opening of its stream to the end of both, stream and handler."""

    def __init__(self, link: Link, handler: Handler, cleanup_timeout: float) -> None:
        """Prepares; ``run`` does it."""
        self.machine = Machine()
        self._link = link
        self._handler = handler
        self._cleanup = cleanup_timeout
        self._stop = False  # this process wants to be rid of the call
        self._cancelled = False

    async def run(self) -> Close:
        """Runs the call, and tells how the service's side of the stream is to end."""
        machine = self.machine
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            deadline = machine.loop.time() + STARTED_TIMEOUT
            if not await machine.until(lambda: machine.started is not None or machine.over(), deadline):
                machine.shut(Close("INTERNAL", f"the bridge sent no started in {STARTED_TIMEOUT:.0f} s"))
            if machine.started is not None:
                await self._handle()
            if machine.close is not None and not writer.done():
                await asyncio.wait({writer}, timeout=FLUSH_TIMEOUT)
            if machine.close is None and machine.ended is None:
                close = Close("INTERNAL", machine.lost_because or "")
            else:
                close = machine.close or OK
            await self._link.finish(close)
            return close
        finally:
            machine.lost("the session is over")
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    def stop(self, reason: str) -> None:
        """Releases the call to another instance, and cancels the handler."""
        self._stop = True
        self.machine.shut(Close("UNAVAILABLE", reason))
        self.machine.notify()

    def cut(self, because: str) -> None:
        """Takes note that the transport is gone."""
        self.machine.lost(because)

    async def _read(self) -> None:
        machine = self.machine
        try:
            while True:
                event = await self._link.receive()
                if event is None:
                    machine.lost("the bridge closed it without an end of the session")
                    return
                machine.on_event(event)
        except LinkLost as lost:
            machine.lost(str(lost))
        except asyncio.CancelledError:
            machine.lost("it was cancelled")  # by gRPC, whose channel was closed, or by run(), which is through
            raise
        except ContractBroken as broken:
            log.error("%s; the stream is given up. Is the bridge older or newer than this library?", broken)
            machine.shut(Close("INTERNAL", str(broken)))
        except Exception as error:
            log.exception("an event of the bridge could not be taken; the stream is given up")
            machine.shut(Close("INTERNAL", f"an event could not be taken: {error}"))

    async def _write(self) -> None:
        try:
            while (control := await self.machine.next_control()) is not None:
                await self._link.send(control)
        except LinkLost as lost:
            self.machine.lost(str(lost))
        except asyncio.CancelledError:
            self.machine.lost("it was cancelled")
            raise
        except Exception as error:
            log.exception("a control could not be sent; the stream is given up")
            self.machine.shut(Close("INTERNAL", f"a control could not be sent: {error}"))

    async def _handle(self) -> None:
        machine = self.machine
        token = current.set(machine)
        try:
            task = asyncio.create_task(self._run_handler(Call(machine)))
        finally:
            current.reset(token)
        task.add_done_callback(lambda _: machine.notify())
        if not await self._supervise(task):
            name = machine.started.call_id if machine.started else ""
            log.error(
                "call %s: the handler is still there %g s after it was cancelled; its stream is closed without it. "
                "Let it end on asyncio.CancelledError",
                name,
                CANCEL_TIMEOUT,
            )
            task.add_done_callback(_forget)
        machine.handler_done = True
        close = self._outcome(task) if task.done() else OK
        if close is not OK:
            machine.shut(close)
        elif not machine.over():
            await machine.send_last("end", call_pb2.CallControl(end=call_pb2.EndCall()))
            await machine.until(machine.over)

    async def _run_handler(self, call: Call) -> None:
        with _tracing.handler_span(self.machine, self._link.metadata, self._link.system):
            driving = self._handler(call)
            if not inspect.isawaitable(driving):
                raise MisuseError("the handler is no coroutine function: write it as `async def handle(call)`")
            await driving

    async def _supervise(self, task: asyncio.Task[None]) -> bool:
        """Waits for the handler, cancels it when its time is up; tells whether it came to its end."""
        machine, loop = self.machine, asyncio.get_running_loop()
        hung_up_at = over_at = None
        while not task.done():
            now = loop.time()
            if machine.hangup is not None and hung_up_at is None:
                # A grace of zero says that the connection to Asterisk is closed: time to clean up, as after any end.
                hung_up_at = now + (machine.hangup.grace.total_seconds() or self._cleanup)
            if machine.over() and over_at is None:
                over_at = now + self._cleanup
            deadline = now if self._stop else min((at for at in (hung_up_at, over_at) if at is not None), default=None)
            if deadline is not None and deadline <= now:
                self._cancelled = True
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_TIMEOUT)
                return task.done()
            known = (machine.hangup is not None, machine.over())
            await machine.until(partial(self._changed, task, known), deadline)
        return True

    def _changed(self, task: asyncio.Task[None], known: tuple[bool, bool]) -> bool:
        machine = self.machine
        return task.done() or self._stop or known != (machine.hangup is not None, machine.over())

    def _outcome(self, task: asyncio.Task[None]) -> Close:
        """Judges how the handler ended."""
        machine = self.machine
        name = machine.started.call_id if machine.started else ""
        if task.cancelled():
            if self._cancelled:
                log.info("call %s: the handler was cancelled, its time was up", name)
                return OK
            log.error("call %s: the handler was cancelled, and not by this library", name)
            return Close("INTERNAL", "the handler was cancelled")
        error = task.exception()
        if error is None or is_hangup(error):
            return OK
        if isinstance(error, NoInput):
            log.info("call %s: %s", name, error)
            return OK
        if isinstance(error, CallLost) and machine.over():
            log.info("call %s: the handler ended with the loss of its stream", name)
            return OK
        log.error("call %s: the handler failed", name, exc_info=error)
        return Close("INTERNAL", f"the handler failed: {type(error).__name__}")


def _forget(task: asyncio.Task[None]) -> None:
    """Takes the outcome of a handler that was left behind, so that nobody complains of it."""
    if not task.cancelled() and task.exception() is not None:
        log.warning("a handler that was left behind failed at last", exc_info=task.exception())
