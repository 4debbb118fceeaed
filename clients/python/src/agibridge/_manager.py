"""The manager client: starts calls, sends actions, and hears events, at the bridge's API."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta, timezone
from types import TracebackType
from typing import TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from typing_extensions import Self

from ._convert import duration
from ._dial import PAUSE_MAX, PAUSE_MIN, checked, credentials, dial, jitter
from ._manager_types import (
    ActionReply,
    Application,
    Destination,
    Dialplan,
    Headers,
    Lost,
    ManagerEvent,
    Missed,
    Originated,
    Outcome,
    ServerState,
    Told,
)
from ._proto import manager_pb2 as pb
from ._tracing import active_context
from .errors import ManagerError, MisuseError
from .tls import ClientTls
from .types import Duration

log = logging.getLogger("agibridge")

_SERVICE = pb.DESCRIPTOR.services_by_name["ManagerService"].full_name

RING_TIMEOUT = 30.0
"""What the bridge takes when none is given."""
ACTION_TIMEOUT = 10.0
# How much longer than Asterisk the bridge may take.
_ORIGINATE_MARGIN, _MARGIN = 60.0, 10.0

_Code = grpc.StatusCode
# With a request id nothing is dialled twice, so what may have been done may be asked again.
_AGAIN_WITH_ID = frozenset({_Code.UNAVAILABLE, _Code.UNKNOWN, _Code.CANCELLED})
_AGAIN_READING = frozenset({_Code.UNAVAILABLE})
_NEVER_AGAIN: frozenset[grpc.StatusCode] = frozenset()
_REFUSALS = frozenset(
    {
        _Code.UNAUTHENTICATED,
        _Code.PERMISSION_DENIED,
        _Code.INVALID_ARGUMENT,
        _Code.NOT_FOUND,
        _Code.FAILED_PRECONDITION,
        _Code.UNIMPLEMENTED,
    }
)
"""What no retry cures: these end a subscription."""

EventHandler: TypeAlias = Callable[[Told], "Awaitable[None] | None"]
"""Called with each thing that a subscription is told: a function, or a coroutine function."""

R = TypeVar("R", bound=Message)


class Manager:
    """Asks the bridge for what Asterisk's manager can do: ``async with Manager("bridge:4575", token=…) as manager``.

    - ``bridge``: host and port of the bridge's ``api``.
    - ``token``, ``tls``: what is shown to the bridge, an entry of ``api.clients``; ``tls`` None: plain text.

    Nothing is connected before something is asked. What Asterisk says no to is an answer; ManagerError tells that
    the bridge refused, or could not be asked.
    """

    def __init__(self, bridge: str, *, token: str | None = None, tls: ClientTls | None = None) -> None:
        """Keeps the settings."""
        self._bridge = checked(bridge)
        self._tls = tls
        self._metadata = credentials(token)
        self._open_channel: grpc.aio.Channel | None = None
        self._closed = False
        self._subscriptions: set[Subscription] = set()

    async def __aenter__(self) -> Self:
        """Gives the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        await self.close()

    async def close(self) -> None:
        """Closes every subscription, and the connection. A request that runs fails with CANCELLED."""
        self._closed = True
        for subscription in list(self._subscriptions):
            await subscription.close()
        if self._open_channel is not None:
            await self._open_channel.close()

    async def originate(
        self,
        channel: str,
        destination: Destination,
        *,
        server: str = "",
        caller_id_number: str = "",
        caller_id_name: str = "",
        ring_timeout: Duration = RING_TIMEOUT,
        variables: Mapping[str, str] | None = None,
        account_code: str = "",
        early_media: bool = False,
        codecs: Sequence[str] = (),
        wait: bool = True,
        request_id: str | None = None,
        timeout: Duration | None = None,
    ) -> Originated:
        """Calls ``channel``, as ``PJSIP/3200``, and once it is answered connects it to ``destination``.

        Returns what became of it, or, without ``wait``, that Asterisk took it. Never dials twice: until ``timeout``
        (``ring_timeout`` and a minute unless set) it is asked again with the same ``request_id``, a new UUID unless
        given, when the bridge went away. An empty ``request_id`` sends none, for an Asterisk whose manager.conf does
        not grant ``system``; nothing is asked again then.
        """
        if request_id is None:
            request_id = str(uuid.uuid4())
        request = pb.OriginateRequest(
            server=server,
            request_id=request_id,
            channel=channel,
            caller_id_name=caller_id_name,
            caller_id_number=caller_id_number,
            ring_timeout=duration(ring_timeout),
            variables=variables,
            account_code=account_code,
            early_media=early_media,
            codecs=codecs,
            wait_for_outcome=wait,
        )
        if isinstance(destination, Dialplan):
            request.dialplan.context = destination.context
            request.dialplan.extension = destination.extension
            request.dialplan.priority = destination.priority
        elif isinstance(destination, Application):
            request.application.application = destination.name
            request.application.data = destination.data
        else:
            request.route = destination.path
        limit = _seconds(ring_timeout) + _ORIGINATE_MARGIN if timeout is None else _seconds(timeout)
        again = _AGAIN_WITH_ID if request_id else _NEVER_AGAIN
        answer = await self._ask("Originate", request, pb.OriginateResponse, limit, again, request_id)
        outcome = Outcome(answer.outcome)
        return Originated(outcome, answer.channel, answer.unique_id, answer.detail, request_id)

    async def send_action(
        self,
        action: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *,
        server: str = "",
        timeout: Duration = ACTION_TIMEOUT,
    ) -> ActionReply:
        """Sends any action, and gives Asterisk's answer with the list or the output that belongs to it.

        ``headers``: a mapping, or pairs where a name repeats. It is never asked again by itself, since it may have
        been done: that is for whoever knows what the action does.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        request = pb.SendActionRequest(
            server=server,
            action=action,
            headers=[pb.Header(key=key, value=value) for key, value in pairs],
            timeout=duration(timeout),
        )
        limit = _seconds(timeout) + _MARGIN
        answer = await self._ask("SendAction", request, pb.SendActionResponse, limit, _NEVER_AGAIN)
        return ActionReply(
            answer.success,
            answer.message,
            _headers(answer.headers),
            tuple(map(_event, answer.events)),
            tuple(answer.output),
            answer.truncated,
        )

    async def list_servers(self) -> list[ServerState]:
        """Gives the Asterisks that this client may use, and the bridge's link to each."""
        request = pb.ListServersRequest()
        answer = await self._ask("ListServers", request, pb.ListServersResponse, _MARGIN, _AGAIN_READING)
        return [_state(state) for state in answer.servers]

    def subscribe(
        self,
        handler: EventHandler,
        names: str | Sequence[str] = "*",
        *,
        match: Mapping[str, str] | None = None,
        server: str = "",
    ) -> Subscription:
        """Calls ``handler`` with events of these names (``*``: all) whose headers have the values of ``match``.

        It is called with one thing at a time, in order: ManagerEvent, Missed, ServerState, Lost. The subscription
        comes back by itself when the bridge went away, for as long as it is not closed.
        """
        self._channel()  # a closed client is told here
        names = [names] if isinstance(names, str) else names
        request = pb.WatchEventsRequest(server=server, names=names, match=match)
        subscription = Subscription(self, handler, request)
        self._subscriptions.add(subscription)
        return subscription

    def _channel(self) -> grpc.aio.Channel:
        if self._closed:
            raise MisuseError("this manager client is closed: make a new one")
        if self._open_channel is None:
            self._open_channel = dial(self._bridge, self._bridge, self._tls)
        return self._open_channel

    def _shown(self) -> tuple[tuple[str, str], ...]:
        return (*self._metadata, *active_context().items())

    async def _ask(
        self,
        method: str,
        request: Message,
        response: type[R],
        limit: float,
        again: frozenset[grpc.StatusCode],
        request_id: str = "",
    ) -> R:
        """Asks, and again after a pause when ``again`` permits it and there is time left."""
        self._channel()
        clock = asyncio.get_running_loop().time
        until = clock() + limit
        pause = PAUSE_MIN
        while True:
            try:
                return await self._ask_once(method, request, response, until - clock())
            except grpc.aio.AioRpcError as error:
                rest = jitter(pause)
                pause = min(pause * 2, PAUSE_MAX)
                code, detail = error.code(), error.details() or ""
                if self._closed or code not in again or clock() + rest >= until:
                    raise ManagerError(code, detail, method, request_id) from error
                log.info("%s is asked again (%s: %s)", method, code.name, detail)
            await asyncio.sleep(rest)

    async def _ask_once(self, method: str, request: Message, response: type[R], limit: float) -> R:
        ask = self._channel().unary_unary(
            f"/{_SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        # In a task of its own, since gRPC tells of a channel that was closed as if this task were cancelled.
        call = asyncio.ensure_future(_answer(ask(request, timeout=max(limit, 0.001), metadata=self._shown())))
        try:
            await asyncio.wait({call})
        finally:
            call.cancel()
        if call.cancelled():
            raise ManagerError(_Code.CANCELLED, "the client was closed", method)
        return call.result()


class Subscription:
    """A handler that is told events, until ``close``: made by ``Manager.subscribe``."""

    def __init__(self, manager: Manager, handler: EventHandler, request: pb.WatchEventsRequest) -> None:
        """Begins to listen."""
        self._manager = manager
        self._handler = handler
        self._request = request
        self._closing = False
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    async def __aenter__(self) -> Self:
        """Gives the subscription."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        await self.close()

    async def wait(self) -> None:
        """Waits until it is closed. Raises what ended it: ManagerError for a refusal, or the handler's own error."""
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def close(self) -> None:
        """Ends it: once this returns the handler is not called any more, and one that ran is cancelled.

        In the handler itself it returns at once, and that call of the handler is the last.
        """
        self._closing = True
        if asyncio.current_task() is not self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._manager._subscriptions.discard(self)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a subscription to events ended: %s", error, exc_info=error)

    async def _run(self) -> None:
        pause = PAUSE_MIN
        lost = False
        while not self._closing:
            detail = "the bridge ended the stream"
            watch = self._watch()
            try:
                async for message in watch:
                    pause, lost = PAUSE_MIN, False
                    await self._tell(message)
                    if self._closing:
                        return
            except grpc.aio.AioRpcError as error:
                code, text = error.code(), error.details() or ""
                if code in _REFUSALS:
                    raise ManagerError(code, text, "WatchEvents") from error
                detail = f"{code.name}: {text}"
            finally:
                watch.cancel()
            if not lost:
                lost = True
                log.warning("the events of the bridge at %s are lost (%s); coming back", self._manager._bridge, detail)
                await self._call(Lost(detail))
            await asyncio.sleep(jitter(pause))
            pause = min(pause * 2, PAUSE_MAX)

    def _watch(self) -> grpc.aio.UnaryStreamCall[Message, pb.WatchEventsResponse]:
        watch = self._manager._channel().unary_stream(
            f"/{_SERVICE}/WatchEvents",
            request_serializer=pb.WatchEventsRequest.SerializeToString,
            response_deserializer=pb.WatchEventsResponse.FromString,
        )
        return watch(self._request, metadata=self._manager._metadata)

    async def _tell(self, message: pb.WatchEventsResponse) -> None:
        match message.WhichOneof("item"):
            case "event":
                await self._call(_event(message.event))
            case "missed":
                await self._call(Missed(message.missed))
            case "server_state":
                await self._call(_state(message.server_state))
            case _:  # of a newer contract
                pass

    async def _call(self, told: Told) -> None:
        result = self._handler(told)
        if inspect.isawaitable(result):
            await result


async def _answer(call: Awaitable[R]) -> R:
    return await call


def _seconds(value: Duration) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _headers(headers: Iterable[pb.Header]) -> Headers:
    return Headers([(header.key, header.value) for header in headers])


def _event(event: pb.ManagerEvent) -> ManagerEvent:
    at = event.received_at.ToDatetime(timezone.utc)
    return ManagerEvent(event.server, event.name, _headers(event.headers), at)


def _state(state: pb.ServerState) -> ServerState:
    return ServerState(state.server, state.connected, state.asterisk_version, state.detail)
