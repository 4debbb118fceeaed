"""grpc.health.v1, for bridges that watch which servers want calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeAlias

import grpc
from grpc_health.v1 import health_pb2

if TYPE_CHECKING:
    import grpc.aio

    _Context: TypeAlias = "grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]"

NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

# Each watcher is a stream that stays open: a bridge has a handful, and nobody needs this many.
WATCHERS_MAX = 1_000


class Health:
    """The state of this server: serving, until it drains. It is the same for each name that it knows."""

    def __init__(self, *names: str) -> None:
        """Begins as serving, for "" and for these services."""
        self._names = {"", *names}
        self._serving = True
        self._closed = False
        self._change = asyncio.Event()
        self._watchers = 0

    def stop_serving(self) -> None:
        """Tells all that no new calls are wanted."""
        self._serving = False
        self._tell()

    def close(self) -> None:
        """Ends the streams of those that watch."""
        self._closed = True
        self._tell()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Gives what a server needs to offer the service."""
        to_bytes = health_pb2.HealthCheckResponse.SerializeToString
        from_bytes = health_pb2.HealthCheckRequest.FromString
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(
                    self._check, request_deserializer=from_bytes, response_serializer=to_bytes
                ),
                "Watch": grpc.unary_stream_rpc_method_handler(
                    self._watch, request_deserializer=from_bytes, response_serializer=to_bytes
                ),
            },
        )

    def _tell(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()

    def _answer(self, name: str) -> health_pb2.HealthCheckResponse:
        response = health_pb2.HealthCheckResponse
        if name not in self._names:
            return response(status=response.SERVICE_UNKNOWN)
        return response(status=response.SERVING if self._serving else response.NOT_SERVING)

    async def _check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no such service: {request.service}")
        return self._answer(request.service)

    async def _watch(
        self, request: health_pb2.HealthCheckRequest, context: _Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        if self._watchers >= WATCHERS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watch already")
        self._watchers += 1
        try:
            while not self._closed:
                change = self._change
                yield self._answer(request.service)
                await change.wait()
        except asyncio.CancelledError:
            return  # whoever watched is gone
        finally:
            self._watchers -= 1
