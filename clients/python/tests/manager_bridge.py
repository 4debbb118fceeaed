"""A bridge's ManagerService that the test plays."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from agibridge._proto import manager_pb2 as pb

SERVICE = "agibridge.v1.ManagerService"


class ManagerBridge:
    """Answers what a test has put into ``answers``, and keeps what was asked."""

    def __init__(self) -> None:
        """Makes one that does not listen yet."""
        self.asked: list[Any] = []
        self.metadata: dict[str, str] = {}
        self.answers: list[Any] = []
        """A message; a status and its text, which refuses; or an event, for which it waits without an answer."""
        self.watches: asyncio.Queue[Watch] = asyncio.Queue()
        self.port = 0

    async def start(self, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> str:
        """Listens; gives the address."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        types: dict[str, tuple[Any, Any]] = {
            "Originate": (pb.OriginateRequest, pb.OriginateResponse),
            "SendAction": (pb.SendActionRequest, pb.SendActionResponse),
            "ListServers": (pb.ListServersRequest, pb.ListServersResponse),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answer, request_deserializer=asked.FromString, response_serializer=answer.SerializeToString
            )
            for name, (asked, answer) in types.items()
        }
        methods["WatchEvents"] = grpc.unary_stream_rpc_method_handler(
            self._watch,
            request_deserializer=pb.WatchEventsRequest.FromString,
            response_serializer=pb.WatchEventsResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        where = f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, credentials)
        await self._server.start()
        return f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Goes away."""
        await self._server.stop(0)

    async def watch(self) -> Watch:
        """Waits until somebody subscribes."""
        return await asyncio.wait_for(self.watches.get(), 5)

    async def _answer(self, request: Any, context: Any) -> Any:
        self.metadata = dict(context.invocation_metadata())
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Event):
            answer.set()
            await asyncio.Event().wait()
        if isinstance(answer, tuple):
            await context.abort(*answer)
        return answer

    async def _watch(self, request: Any, context: Any) -> None:
        self.metadata = dict(context.invocation_metadata())
        if self.answers:
            await context.abort(*self.answers.pop(0))
        watch = Watch(request, context)
        self.watches.put_nowait(watch)
        try:
            end = await watch.end
        finally:
            watch.over.set()
        if end is not None:
            await context.abort(*end)


class Watch:
    """A subscription, as the bridge has it."""

    def __init__(self, request: pb.WatchEventsRequest, context: Any) -> None:
        """Wraps gRPC's side of the bridge."""
        self.request = request
        self.end: asyncio.Future[tuple[grpc.StatusCode, str] | None] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self._context = context

    async def say(self, **item: Any) -> None:
        """Sends one thing."""
        await self._context.write(pb.WatchEventsResponse(**item))
