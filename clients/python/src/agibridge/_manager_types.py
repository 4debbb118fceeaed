"""What the manager client takes and gives: plain frozen data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, overload

from ._enums import _OpenEnum


class Outcome(_OpenEnum):
    """What became of a call that was started. None of them is an error."""

    UNSPECIFIED = 0
    ACCEPTED = 1
    """Asterisk took it; nobody waited for more."""
    ANSWERED = 2
    BUSY = 3
    NO_ANSWER = 4
    CONGESTION = 5
    REFUSED = 6
    """No such device, number or extension, or Asterisk refused it: ``detail`` says which."""
    FAILED = 7
    """Rejected or hung up before it was answered, or another cause: see ``detail``."""
    UNKNOWN = 8
    """The link to Asterisk broke, and what came of it could not be learnt. It is never dialled again."""


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Where a call that was answered goes: an extension of the dialplan."""

    context: str
    extension: str
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Application:
    """Where a call that was answered goes: one application, which needs an explicit grant if it reaches far."""

    name: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call that was answered goes: a route of the bridge, as ``/reminder?appointment=4711``."""

    path: str


Destination: TypeAlias = Dialplan | Application | Route


@dataclass(frozen=True, slots=True)
class Originated:
    """What became of a call that was started."""

    outcome: Outcome
    channel: str
    """Name of the channel that was called; empty while it is not known."""
    unique_id: str
    """Its id: ``call.channel.unique_id`` of a handler on it."""
    detail: str
    """For people."""
    request_id: str
    """Ask again with it, and nothing is dialled twice."""

    @property
    def answered(self) -> bool:
        """Whether somebody answered."""
        return self.outcome is Outcome.ANSWERED


class Headers(Sequence[tuple[str, str]]):
    """Headers in order. A name may be there more than once, and is found in any case."""

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[tuple[str, str]] = ()) -> None:
        """Keeps them."""
        self._items = tuple(items)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Gives the first value of a name."""
        return next(iter(self.all(name)), default)

    def all(self, name: str) -> list[str]:
        """Gives all values of a name."""
        return [value for key, value in self._items if key.lower() == name.lower()]

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[str, str], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | tuple[tuple[str, str], ...]:
        """Gives a header by its place."""
        return self._items[index]

    def __len__(self) -> int:
        """Counts them."""
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Gives name and value of each."""
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        """Tells whether these are the same, in the same order."""
        return self._items == other._items if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        """Goes with ``==``."""
        return hash(self._items)

    def __repr__(self) -> str:
        """Shows all."""
        return f"Headers({list(self._items)!r})"


@dataclass(frozen=True, slots=True)
class ManagerEvent:
    """An event of Asterisk."""

    server: str
    name: str
    headers: Headers
    received_at: datetime

    def get(self, name: str, default: str = "") -> str:
        """Gives the value of a header."""
        return self.headers.get(name, default)

    def __str__(self) -> str:
        """Gives one line: the name, then the headers."""
        return " ".join([self.name, *(f"{key}={value!r}" for key, value in self.headers)])


@dataclass(frozen=True, slots=True)
class Missed:
    """So many events were dropped since the one before, because this subscriber is slow."""

    count: int


@dataclass(frozen=True, slots=True)
class ServerState:
    """The bridge's link to an Asterisk. When it was lost, or came back, events may be missing around it."""

    server: str
    connected: bool
    asterisk_version: str
    detail: str
    """Why it is not connected."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream from the bridge broke, or cannot be had: events are missing until a ``ServerState`` comes."""

    detail: str


Told: TypeAlias = ManagerEvent | Missed | ServerState | Lost
"""What a subscription's handler is called with."""


@dataclass(frozen=True, slots=True)
class ActionReply:
    """Asterisk's answer to an action."""

    success: bool
    message: str
    headers: Headers
    events: tuple[ManagerEvent, ...]
    """The list that came with it."""
    output: tuple[str, ...]
    """Lines of ``Command``."""
    truncated: bool
    """It was too long, and something is missing."""
