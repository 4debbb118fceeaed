"""Bridges for tests of real connections: one that opens streams to a server, and one that workers dial."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from agibridge._proto import call_pb2, command_pb2, worker_pb2

HANDLE_CALL = "/agibridge.v1.CallService/HandleCall"


def started(**facts: Any) -> call_pb2.CallEvent:
    """Gives the first event."""
    facts.setdefault("max_queued_commands", 32)
    return call_pb2.CallEvent(started=call_pb2.CallStarted(call_id="call-1", **facts))


def done(number: int) -> call_pb2.CallEvent:
    """Gives a plain result."""
    return call_pb2.CallEvent(result=command_pb2.CommandResult(id=number, done=command_pb2.Done()))


def ended(reason: Any = call_pb2.CallEnded.REASON_SERVICE) -> call_pb2.CallEvent:
    """Gives the last event."""
    return call_pb2.CallEvent(ended=call_pb2.CallEnded(reason=reason))


class Opened:
    """A stream that this bridge opened."""

    def __init__(self, stream: Any) -> None:
        """Wraps gRPC's."""
        self.stream = stream

    async def say(self, event: call_pb2.CallEvent) -> None:
        """Sends an event."""
        await self.stream.write(event)

    async def control(self) -> call_pb2.CallControl:
        """Waits for the next control."""
        control = await asyncio.wait_for(self.stream.read(), 5)
        assert isinstance(control, call_pb2.CallControl), await self.stream.code()
        return control

    async def taken(self) -> None:
        """Waits for the headers."""
        await asyncio.wait_for(self.stream.initial_metadata(), 5)

    async def status(self) -> tuple[str, str]:
        """Waits for the end of the stream."""
        code = await asyncio.wait_for(self.stream.code(), 10)
        return code.name, await self.stream.details()


@asynccontextmanager
async def dial(address: str, credentials: grpc.ChannelCredentials | None = None) -> AsyncIterator[Dialled]:
    """Connects to a server, and gives what opens streams."""
    options = [("grpc.ssl_target_name_override", "localhost")] if credentials else []
    channel = (
        grpc.aio.insecure_channel(address)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, options=options)
    )
    async with channel:
        yield Dialled(channel)


class Dialled:
    """A connection to a server; calling it opens a stream."""

    def __init__(self, channel: Any) -> None:
        """Wraps gRPC's channel."""
        self.channel = channel
        self._method = channel.stream_stream(
            HANDLE_CALL,
            request_serializer=call_pb2.CallEvent.SerializeToString,
            response_deserializer=call_pb2.CallControl.FromString,
        )

    def __call__(self, **metadata: str) -> Opened:
        """Opens a stream."""
        return Opened(self._method(metadata=tuple(metadata.items())))


class WorkerBridge:
    """A bridge that workers dial: what it is told, and what it offers."""

    def __init__(self, token: str = "") -> None:
        """Makes one that asks for this token."""
        self.token = token
        self.reports: asyncio.Queue[worker_pb2.WorkerReport] = asyncio.Queue()
        self.calls: asyncio.Queue[Taken] = asyncio.Queue()
        self.metadata: dict[str, str] = {}
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.refused: list[str] = []  # what was shown instead of the token
        self._context: Any = None
        self._gone = asyncio.Event()

    async def start(self, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> str:
        """Listens, and gives the address."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        methods: dict[str, Any] = {
            "Register": grpc.stream_stream_rpc_method_handler(
                self._register,
                request_deserializer=worker_pb2.WorkerReport.FromString,
                response_serializer=worker_pb2.WorkerOffer.SerializeToString,
            ),
            "TakeCall": grpc.stream_stream_rpc_method_handler(
                self._take_call,
                request_deserializer=call_pb2.CallControl.FromString,
                response_serializer=call_pb2.CallEvent.SerializeToString,
            ),
        }
        handler = grpc.method_handlers_generic_handler("agibridge.v1.WorkerService", methods)
        self._server.add_generic_rpc_handlers((handler,))
        where = f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, credentials)
        await self._server.start()
        return f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Goes away."""
        self._gone.set()
        await self._server.stop(0)

    async def report(self) -> worker_pb2.WorkerReport:
        """Waits for the worker's next report."""
        return await asyncio.wait_for(self.reports.get(), 5)

    async def offer(self, token: str) -> None:
        """Offers a call."""
        await self._context.write(worker_pb2.WorkerOffer(call=worker_pb2.CallOffer(token=token, call_id="call-1")))

    async def taken(self) -> Taken:
        """Waits until an offer is taken."""
        return await asyncio.wait_for(self.calls.get(), 5)

    async def end_registration(self) -> None:
        """Ends it as a bridge that drains does."""
        self._gone.set()

    async def _register(self, _: Any, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self.metadata = metadata
        if self.token and metadata.get("authorization") != f"Bearer {self.token}":
            self.refused.append(metadata.get("authorization", ""))
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this token is not known")
        if self.refusal is not None:
            await context.abort(*self.refusal)
        self._gone = gone = asyncio.Event()
        hello = await context.read()
        await context.write(worker_pb2.WorkerOffer(registered=worker_pb2.Registered(bridge_id="b")))
        self._context = context
        self.reports.put_nowait(hello)
        reading = asyncio.create_task(self._read(context))
        await gone.wait()
        reading.cancel()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the bridge drains")

    async def _read(self, context: Any) -> None:
        while isinstance(report := await context.read(), worker_pb2.WorkerReport):
            self.reports.put_nowait(report)

    async def _take_call(self, _: Any, context: Any) -> None:
        taken = Taken(context)
        self.calls.put_nowait(taken)
        try:
            await taken.over.wait()
        except asyncio.CancelledError:
            taken.cancelled = True
            raise


class Taken:
    """A call that a worker took."""

    def __init__(self, context: Any) -> None:
        """Wraps gRPC's side of the bridge."""
        self.context = context
        self.metadata = dict(context.invocation_metadata())
        self.token = self.metadata.get("agibridge-offer-token")
        self.over = asyncio.Event()
        self.cancelled = False

    async def say(self, event: call_pb2.CallEvent) -> None:
        """Sends an event."""
        await self.context.write(event)

    async def control(self) -> Any:
        """Waits for the next control, or for the end of the worker's side."""
        return await asyncio.wait_for(self.context.read(), 5)
