"""The handle of one command: what it asked, and what became of it. Awaiting it gives the result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, cast

from ._convert import span
from ._proto import command_pb2
from .errors import AgiBridgeError, MisuseError

log = logging.getLogger("agibridge")

T = TypeVar("T")


class State(Enum):
    """Where a command is on its way."""

    HELD = "held"  # in a batch that was not sent
    WAITING = "waiting"  # no room at the bridge yet
    SENT = "sent"
    DONE = "done"


class Owner(Protocol):
    """Whoever sent the command, and can take it back."""

    def take_back(self, pending: Pending[Any]) -> None:
        """Takes it back if it was not written to Asterisk yet."""

    def received(self, pending: Pending[Any]) -> None:
        """Notes that the handler has this result."""


class Pending(Generic[T]):
    """A command on its way. ``await`` it for its typed result, or for the error that it failed with.

    On a ``Call`` the command is sent as the method is called, whether or not the handle is awaited; in a batch as
    the batch is sent. Awaiting may be done more than once, and by several tasks. When the last task that awaits it
    is cancelled, the command is taken back unless it was written to Asterisk already; one that runs goes on there.
    """

    __slots__ = (
        "_error",
        "_owner",
        "_parse",
        "_seen",
        "_value",
        "_waiters",
        "answered",
        "elapsed",
        "interrupted",
        "message",
        "name",
        "state",
        "taken_back",
    )

    def __init__(
        self,
        owner: Owner,
        name: str,
        message: command_pb2.Command,
        parse: Callable[[command_pb2.CommandResult], T],
    ) -> None:
        """For the library: handles are made by the methods of a call or a batch."""
        self._owner = owner
        self.name = name
        """The name of the command's method."""
        self.message = message
        self._parse = parse
        self.state = State.HELD
        self.answered = False  # by the bridge
        self.taken_back = False
        self.interrupted = False
        self.elapsed: timedelta | None = None
        """From the write of the command to the read of its reply; None when it was never written."""
        self._value: T | None = None
        self._error: AgiBridgeError | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._seen = False

    @property
    def id(self) -> int:
        """The command's number in the call; 0 while it is in a batch that was not sent."""
        return self.message.id

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The command's arguments that are set, by the contract's names and in its types."""
        which = self.message.WhichOneof("command")
        fields = getattr(self.message, which).ListFields() if which else ()
        return {descriptor.name: value for descriptor, value in fields}

    def done(self) -> bool:
        """Tells whether there is a result or an error."""
        return self.state is State.DONE

    def result(self) -> T:
        """Gives the result, or raises the command's error. MisuseError when there is none yet: await it."""
        if self.state is not State.DONE:
            raise MisuseError(f"{self.name} has no result yet: await it")
        if not self._seen:
            self._seen = True
            self._owner.received(self)
        if self._error is not None:
            raise self._error.with_traceback(None)
        return cast(T, self._value)  # resolve() has set it, as there is no error

    def exception(self) -> AgiBridgeError | None:
        """Gives the error that it failed with, None after success. MisuseError when there is neither yet."""
        try:
            self.result()
        except AgiBridgeError as error:
            if self.state is not State.DONE:
                raise
            return error
        return None

    def cancel(self) -> None:
        """Takes the command back if it was not written to Asterisk yet: it then fails with CANCELLED."""
        if self.state is not State.DONE:
            self._owner.take_back(self)

    def __await__(self) -> Generator[Any, None, T]:
        """Waits for the result."""
        if self.state is State.HELD:
            raise MisuseError(f"{self.name} is in a batch that was not sent: await batch.run() first")
        if self.state is not State.DONE:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                yield from waiter.__await__()
            except asyncio.CancelledError:
                self._waiters.discard(waiter)
                if not self._waiters:
                    self.cancel()
                raise
        return self.result()

    def resolve(self, result: command_pb2.CommandResult) -> None:
        """For the library: takes the result as the bridge sent it."""
        if result.HasField("elapsed"):
            self.elapsed = span(result.elapsed)
        try:
            self._value = self._parse(result)
        except AgiBridgeError as error:
            self._error = error
        self._finish()

    def fail(self, error: AgiBridgeError) -> None:
        """For the library: the command fails with this."""
        self._error = error
        self._finish()

    def _finish(self) -> None:
        self.state = State.DONE
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __del__(self) -> None:
        """Leaves a trace of an error that nobody asked for."""
        if self._error is not None and not self._seen:
            log.debug("nobody awaited %s, which failed: %s", self.name, self._error)

    def __repr__(self) -> str:
        """Gives name, number and state."""
        return f"<Pending {self.name} {self.id} {self.state.value}>"
