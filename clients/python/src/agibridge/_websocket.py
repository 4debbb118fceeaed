"""The WebSocket server: bridges open a connection for each call. Needs the extra ``agibridge[websocket]``."""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError

from ._dial import MESSAGE_MAX
from ._machine import Close
from ._proto import call_pb2
from ._serving import Serving
from ._session import Handler, LinkLost
from .errors import MisuseError, ServeError
from .tls import Pem, ServerTls, pem

try:
    from websockets.asyncio.server import Server as _WebSocketsServer
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Request, Response
    from websockets.typing import Subprotocol
except ImportError as error:
    raise MisuseError("WebSocketServer needs the package websockets: pip install agibridge[websocket]") from error

log = logging.getLogger("agibridge")

PROTO = Subprotocol("agibridge.v1.proto")
JSON = Subprotocol("agibridge.v1.json")

_STATUS = {
    "UNAUTHENTICATED": http.HTTPStatus.UNAUTHORIZED,
    "UNAVAILABLE": http.HTTPStatus.SERVICE_UNAVAILABLE,
    "RESOURCE_EXHAUSTED": http.HTTPStatus.SERVICE_UNAVAILABLE,
}
_CODES = {"OK": 1000, "INTERNAL": 1011, "UNAVAILABLE": 1012, "UNAUTHENTICATED": 1008, "RESOURCE_EXHAUSTED": 1013}

# Received messages that wait to be read; then the bridge has to wait.
_QUEUE = 16
# How long the bridge has to close the connection after the session's end.
_CLOSE_TIMEOUT = 5.0
_REASON_MAX = 123


class WebSocketServer(Serving):
    """Serves WebSocket: ``WebSocketServer(handle, listen="0.0.0.0:8080").run()``.

    Both subprotocols are spoken, protobuf and JSON; each connection is one call, whatever its path. The settings are
    those of ``Server``; with ``max_calls`` running, one more is refused with 503.
    """

    def __init__(
        self,
        handler: Handler,
        listen: str = "127.0.0.1:8080",
        *,
        token: str | None = None,
        tls: ServerTls | None = None,
        max_calls: int | None = None,
        cleanup_timeout: float = 10.0,
        drain_timeout: float = 3600.0,
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
        self._server: _WebSocketsServer | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Where it listens, with the port that it got; empty before it does."""
        return self._address

    async def _open(self) -> None:
        host, _, port = self._listen.rpartition(":")
        try:
            self._server = await serve(
                self._serve_call,
                host.strip("[]") or None,
                int(port),
                ssl=None if self._tls is None else _ssl(self._tls),
                process_request=self._process_request,
                subprotocols=[PROTO, JSON],
                compression=None,
                max_size=MESSAGE_MAX,
                max_queue=_QUEUE,
                close_timeout=_CLOSE_TIMEOUT,
                server_header=None,
            )
        except (OSError, ValueError) as error:
            raise ServeError(f"cannot listen on {self._listen} ({error}): is the address taken, or wrong?") from error
        bound = next(iter(self._server.sockets)).getsockname()[1]
        self._address = f"{host}:{bound}"

    async def _refuse(self) -> None:
        """New handshakes are refused from here on, by ``_process_request``."""

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        refusal = self._refusal({name.lower(): value for name, value in request.headers.raw_items()})
        if refusal is None:
            return None
        return connection.respond(_STATUS[refusal.code], refusal.detail + "\n")

    async def _serve_call(self, connection: ServerConnection) -> None:
        request = connection.request
        metadata = {name.lower(): value for name, value in request.headers.raw_items()} if request else {}
        refusal = self._refusal(metadata)  # another handshake may have taken the last place since
        if refusal is not None:
            await connection.close(_CODES[refusal.code], refusal.detail)
            return
        session, task = self._launch(_WebSocketLink(connection, metadata))
        await self._carry(session, task)


class _WebSocketLink:
    """A call's connection."""

    system = "websocket"

    def __init__(self, connection: ServerConnection, metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        self._connection = connection
        self._json = connection.subprotocol == JSON
        self._fault: int | None = None  # the close code that tells what was wrong with a frame

    async def receive(self) -> call_pb2.CallEvent | None:
        try:
            frame = await self._connection.recv()
        except ConnectionClosed as closed:
            told = closed.rcvd
            if told is not None and told.code == 1000:
                return None
            why = f"closed with {told.code} {told.reason}" if told else "the connection is gone"
            raise LinkLost(why.rstrip()) from closed
        if isinstance(frame, str) is not self._json:
            self._fault = 1003
            raise LinkLost(f"the bridge sent a frame that is not of {self._connection.subprotocol}")
        try:
            if isinstance(frame, str):
                return Parse(frame, call_pb2.CallEvent(), ignore_unknown_fields=True)
            return call_pb2.CallEvent.FromString(frame)
        except (DecodeError, ParseError, RecursionError) as error:
            self._fault = 1007
            raise LinkLost(f"the bridge sent a frame that holds no message: {error}") from error

    async def send(self, control: call_pb2.CallControl) -> None:
        frame = MessageToJson(control, indent=None) if self._json else control.SerializeToString()
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            raise LinkLost("the connection is gone") from closed

    async def finish(self, close: Close) -> None:
        """Closes the connection; after the session's end that is the bridge's part, for a while."""
        if close.code == "OK":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._connection.wait_closed(), _CLOSE_TIMEOUT)
        reason = close.detail.encode()[:_REASON_MAX].decode(errors="ignore")
        await self._connection.close(self._fault or _CODES[close.code], reason)


def _ssl(tls: ServerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(_file(tls.certificate, folder, "cert"), _file(tls.key, folder, "key"))
    if tls.client_ca is not None:
        context.load_verify_locations(cadata=(pem(tls.client_ca) or b"").decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _file(source: Pem, folder: str, name: str) -> Path:
    """Gives a PEM as the file that ``ssl`` wants, in a folder that is gone soon."""
    if not isinstance(source, bytes):
        return Path(source)
    file = Path(folder, name)
    file.touch(mode=0o600)
    file.write_bytes(source)
    return file
