"""A call's stream in memory, of which the test is the bridge: it says every event, and sees every control."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from agibridge import Call
from agibridge._machine import Close
from agibridge._proto import call_pb2, command_pb2
from agibridge._session import Handler, LinkLost, Session


class Stream:
    """The bridge's end of a stream, and the library's."""

    system = "memory"

    def __init__(self) -> None:
        """Begins with nothing said."""
        self.metadata: Mapping[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._events: asyncio.Queue[call_pb2.CallEvent | Exception | None] = asyncio.Queue()
        self._controls: asyncio.Queue[call_pb2.CallControl] = asyncio.Queue()

    async def receive(self) -> call_pb2.CallEvent | None:
        """Is what the library calls."""
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        return event

    async def send(self, control: call_pb2.CallControl) -> None:
        """Is what the library calls."""
        await self.gate.wait()
        self._controls.put_nowait(control)

    async def finish(self, close: Close) -> None:
        """Is what the library calls."""

    def say(self, **event: Any) -> None:
        """Sends an event."""
        self._events.put_nowait(call_pb2.CallEvent(**event))

    def start(self, **facts: Any) -> None:
        """Sends the first event."""
        facts.setdefault("max_queued_commands", 32)
        self.say(started=call_pb2.CallStarted(call_id="call-1", **facts))

    def result(self, number: int, **outcome: Any) -> None:
        """Sends a result, that of success unless another is given."""
        self.say(result=command_pb2.CommandResult(id=number, **(outcome or {"done": command_pb2.Done()})))

    def error(self, number: int, code: Any, detail: str = "") -> None:
        """Sends a result that is an error."""
        self.result(number, error=command_pb2.CommandError(code=code, detail=detail))

    def hang_up(self, grace: float = 10) -> None:
        """Tells of the hangup."""
        hangup = call_pb2.Hangup(source=call_pb2.Hangup.SOURCE_SIGNAL)
        hangup.grace.FromMilliseconds(int(grace * 1000))
        self.say(hangup=hangup)

    def end(self, reason: Any = call_pb2.CallEnded.REASON_SERVICE) -> None:
        """Tells of the session's end."""
        self.say(ended=call_pb2.CallEnded(reason=reason))

    def close(self) -> None:
        """Ends the stream."""
        self._events.put_nowait(None)

    def break_(self) -> None:
        """Breaks the stream."""
        self._events.put_nowait(LinkLost("a cable was cut"))

    async def control(self) -> call_pb2.CallControl:
        """Waits for the library's next control."""
        return await asyncio.wait_for(self._controls.get(), 5)

    async def command(self) -> command_pb2.Command:
        """Waits for the next control, which must be a command."""
        control = await self.control()
        assert control.HasField("command"), control
        return control.command

    def is_silent(self) -> bool:
        """Tells whether the library has sent nothing more."""
        return self._controls.empty()


def begin(stream: Stream, handler: Handler, cleanup_timeout: float = 10.0) -> asyncio.Task[Close]:
    """Runs a handler on a stream."""

    async def watched(call: Call) -> None:
        try:
            await handler(call)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            raised.setdefault(task, error)
            raise

    task = asyncio.create_task(Session(stream, watched, cleanup_timeout).run())
    return task


raised: dict[asyncio.Task[Close], BaseException] = {}
"""What handlers raised."""


async def over(task: asyncio.Task[Close], *, fails: bool = False) -> Close:
    """Waits for a session's end, and raises what the handler did, unless it is meant to."""
    close = await asyncio.wait_for(task, 10)
    error = raised.pop(task, None)
    assert (error is not None) is fails, error
    return close


async def settle() -> None:
    """Lets everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
