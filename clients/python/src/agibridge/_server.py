"""The gRPC server: bridges connect to it, and open a stream for each call."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import TypeAlias

import grpc
import grpc.aio
from grpc_reflection.v1alpha import reflection

from . import _health
from ._dial import MESSAGE_MAX
from ._machine import Close
from ._proto import call_pb2
from ._serving import Serving
from ._session import Handler, LinkLost
from .errors import ServeError
from .tls import ServerTls, pem

log = logging.getLogger("agibridge")

_SERVICE = call_pb2.DESCRIPTOR.services_by_name["CallService"].full_name

_OPTIONS = [
    # Bridges ping connections on which nothing comes: that is welcome, however often, also without calls.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.so_reuseport", 0),  # an address that is taken is an error, and not half of the calls
]

_Context: TypeAlias = "grpc.aio.ServicerContext[call_pb2.CallEvent, call_pb2.CallControl]"


class Server(Serving):
    """Serves gRPC: ``Server(handle, listen="0.0.0.0:50051").run()``.

    - ``listen``: address and port; port 0: any free one, see ``address``.
    - ``token``: calls must carry it as ``authorization: Bearer …``; None: any call is taken.
    - ``tls``: a certificate, and whom to trust for clients' certificates; None: plain text.
    - ``max_calls``: one more is refused with RESOURCE_EXHAUSTED, so that the bridge asks another; None: no limit.
    - ``cleanup_timeout``: seconds that a handler has after the session's end or the loss of the stream (after a hangup:
      the bridge's grace) before it is cancelled.
    - ``drain_timeout``: seconds that running calls have after SIGTERM or SIGINT.
    - ``reflection``: whether tools may ask for the contract.

    ``grpc.health.v1`` is served for "" and for ``agibridge.v1.CallService``. ServeError when it cannot listen.
    """

    def __init__(
        self,
        handler: Handler,
        listen: str = "127.0.0.1:50051",
        *,
        token: str | None = None,
        tls: ServerTls | None = None,
        max_calls: int | None = None,
        cleanup_timeout: float = 10.0,
        drain_timeout: float = 3600.0,
        reflection: bool = True,
    ) -> None:
        """Keeps the settings; ``run``, ``serve``, ``start`` or ``async with`` begin to serve."""
        super().__init__(
            handler,
            token=token,
            max_calls=max_calls,
            cleanup_timeout=cleanup_timeout,
            drain_timeout=drain_timeout,
        )
        self._listen = listen
        self._tls = tls
        self._reflection = reflection
        self._address = ""

    @property
    def address(self) -> str:
        """Where it listens, with the port that it got; empty before it does."""
        return self._address

    async def _open(self) -> None:
        self._health = _health.Health(_SERVICE)
        self._server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._handle_call,
            request_deserializer=call_pb2.CallEvent.FromString,
            response_serializer=call_pb2.CallControl.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"HandleCall": handler}),)
        )
        self._server.add_generic_rpc_handlers((self._health.handlers(),))
        if self._reflection:
            names = (_SERVICE, _health.NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        host = self._listen.rpartition(":")[0]
        try:
            if self._tls is None:
                port = self._server.add_insecure_port(self._listen)
            else:
                port = self._server.add_secure_port(self._listen, _credentials(self._tls))
        except RuntimeError as error:
            raise ServeError(
                f"cannot listen on {self._listen}: is the address taken, or not this machine's?"
            ) from error
        await self._server.start()
        self._address = f"{host}:{port}"

    async def _refuse(self) -> None:
        self._health.stop_serving()

    async def _close(self) -> None:
        self._health.close()
        await self._server.stop(0.5)

    async def _handle_call(self, _: AsyncIterator[call_pb2.CallEvent], context: _Context) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        refusal = self._refusal(metadata)
        if refusal is not None:
            await context.abort(grpc.StatusCode[refusal.code], refusal.detail)
        with self._admit():
            await context.send_initial_metadata(())  # takes the call
            session, task = self._launch(_ServerLink(context, metadata))
        close = await self._carry(session, task)
        if close.code != "OK":
            await context.abort(grpc.StatusCode[close.code], close.detail)


class _ServerLink:
    """A call's stream that the bridge opened."""

    system = "grpc"

    def __init__(self, context: _Context, metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        self._context = context

    async def receive(self) -> call_pb2.CallEvent | None:
        try:
            event = await self._context.read()
        except Exception as error:
            raise LinkLost(str(error) or type(error).__name__) from error
        return event if isinstance(event, call_pb2.CallEvent) else None

    async def finish(self, close: Close) -> None:
        """Is left to the stream's own coroutine, whose return or abort it is."""

    async def send(self, control: call_pb2.CallControl) -> None:
        try:
            await self._context.write(control)
        except Exception as error:
            raise LinkLost(str(error) or type(error).__name__) from error


def _credentials(tls: ServerTls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(pem(tls.key) or b"", pem(tls.certificate) or b"")],
        root_certificates=pem(tls.client_ca),
        require_client_auth=tls.client_ca is not None,
    )
