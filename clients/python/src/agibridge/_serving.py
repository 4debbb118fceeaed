"""What all ways of serving have in common: the calls that run, the limit on them, and the drain."""

from __future__ import annotations

import asyncio
import hmac
import logging
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from ._machine import Close
from ._session import Handler, Link, Session
from .errors import MisuseError

log = logging.getLogger("agibridge")

S = TypeVar("S", bound="Serving")

# How long handlers have that were cancelled because the process stops, before it stops without them.
STOP_TIMEOUT = 5.0


class Serving(ABC):
    """A way of serving: begins by ``start``, ends by ``drain`` or ``stop``."""

    def __init__(
        self,
        handler: Handler,
        *,
        token: str | None,
        max_calls: int | None,
        cleanup_timeout: float,
        drain_timeout: float,
    ) -> None:
        """Keeps the settings."""
        if not callable(handler):
            raise MisuseError("the handler must be a coroutine function: `async def handle(call)`")
        self._handler = handler
        self._token = token
        self._max_calls = max_calls
        self._cleanup_timeout = cleanup_timeout
        self._drain_timeout = drain_timeout
        self._sessions: dict[asyncio.Task[Close], Session] = {}
        self._carriers: set[asyncio.Task[Any]] = set()
        self._taking = 0
        self._refusing = False
        self._asked = 0  # how often it was asked to end
        self._change = asyncio.Event()
        self._opened = False
        self._closed = False
        self._failure: Exception | None = None

    @property
    def calls(self) -> int:
        """How many calls run now."""
        return len(self._sessions) + self._taking

    @abstractmethod
    async def _open(self) -> None:
        """Begins to serve."""

    @abstractmethod
    async def _refuse(self) -> None:
        """Takes no new calls any more."""

    @abstractmethod
    async def _close(self) -> None:
        """Closes what is open; no call runs any more."""

    async def start(self) -> None:
        """Begins to serve, and returns once it does."""
        if not self._opened:
            self._opened = True
            await self._open()

    def run(self, *, ready: Callable[[], object] | None = None) -> None:
        """Serves until SIGTERM or SIGINT, then drains. For a program that does nothing else.

        ``ready`` is called once it serves. A second signal ends the drain at once.
        """
        asyncio.run(self.serve(ready=ready))

    async def serve(self, *, signals: bool = True, ready: Callable[[], object] | None = None) -> None:
        """Serves until SIGTERM or SIGINT, or until ``drain`` was called elsewhere, then drains.

        With ``signals=False`` signals are left to the program. Starts unless ``start`` was called before. A second
        signal ends the drain at once: the calls that run are released to other instances.
        """
        if signals:
            self._listen_to_signals(True)
        try:
            await self.start()
            if ready is not None and self._asked == 0:
                ready()
            await self.wait()
        finally:
            if signals:
                self._listen_to_signals(False)

    async def wait(self) -> None:
        """Waits until it was asked to end, drains, and returns when all is closed."""
        while self._asked == 0 and self._failure is None:
            self._change.clear()
            await self._change.wait()
        await self._finish()
        if self._failure is not None:
            raise self._failure

    async def drain(self) -> None:
        """Takes no new calls, waits for those that run up to ``drain_timeout``, releases what is left, and closes."""
        self._ask()
        await self._finish()

    async def stop(self) -> None:
        """Takes no new calls, releases those that run to other instances at once, and closes."""
        self._asked = max(self._asked, 1)
        self._ask()
        await self._finish()

    async def __aenter__(self) -> Self:
        """Begins to serve."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops at once."""
        await self.stop()

    # For the ways of serving.

    @contextmanager
    def _admit(self) -> Iterator[None]:
        """Counts a call that is being taken, and whose session is not launched yet."""
        self._taking += 1
        try:
            yield
        finally:
            self._taking -= 1
            self._change.set()

    def _launch(self, link: Link) -> tuple[Session, asyncio.Task[Close]]:
        """Runs a call in a task of its own, which outlives its transport while the handler cleans up."""
        session = Session(link, self._handler, self._cleanup_timeout)
        task = asyncio.create_task(session.run())
        self._sessions[task] = session
        task.add_done_callback(self._landed)
        return session, task

    async def _carry(self, session: Session, task: asyncio.Task[Close]) -> Close:
        """Waits, in the transport's own task, for how its side is to end; `_close` waits until that was said."""
        carrier = asyncio.current_task()
        if carrier is not None:
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            session.cut("the bridge cancelled it, or its connection is gone")
            raise

    def _landed(self, task: asyncio.Task[Close]) -> None:
        del self._sessions[task]
        self._change.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a call ended by a fault of this library", exc_info=task.exception())

    def _refusal(self, metadata: Mapping[str, str]) -> Close | None:
        """Tells why a new call is not taken, or None when it is."""
        if self._token is not None:
            shown = metadata.get("authorization", "")
            if not hmac.compare_digest(shown.encode(), f"Bearer {self._token}".encode()):
                return Close("UNAUTHENTICATED", "the token is missing or wrong: set it in the bridge's configuration")
        if self._refusing:
            return Close("UNAVAILABLE", "this instance is draining")
        if self._max_calls is not None and self.calls >= self._max_calls:
            return Close("RESOURCE_EXHAUSTED", f"this instance has {self._max_calls} calls already")
        return None

    def _fail(self, error: Exception) -> None:
        """Has ``wait`` raise this, once the calls that run are over."""
        log.error("%s", error)
        self._failure = self._failure or error
        self._change.set()

    # Inside.

    def _listen_to_signals(self, listen: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                if listen:
                    loop.add_signal_handler(number, self._ask)
                else:
                    loop.remove_signal_handler(number)
            except (NotImplementedError, RuntimeError, ValueError):
                return  # not the main thread, or a system without signals: whoever runs it calls drain()

    def _ask(self) -> None:
        self._asked += 1
        self._change.set()

    async def _finish(self) -> None:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if not self._refusing:
            self._refusing = True
            await self._refuse()
        late = loop.call_later(self._drain_timeout, self._ask_again)
        try:
            while self.calls and self._asked < 2:
                self._change.clear()
                await self._change.wait()
        finally:
            late.cancel()
        if self._sessions:
            for session in list(self._sessions.values()):
                session.stop("this instance stops")
            await asyncio.wait(list(self._sessions), timeout=STOP_TIMEOUT)
        if self._carriers:
            await asyncio.wait(list(self._carriers), timeout=STOP_TIMEOUT)
        if not self._closed:
            self._closed = True
            await self._close()

    def _ask_again(self) -> None:
        self._asked = max(self._asked, 1)
        self._ask()
