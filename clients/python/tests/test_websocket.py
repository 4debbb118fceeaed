"""The WebSocket server on a real connection."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from agibridge import Call, CallLost, ServerTls, WebSocketServer
from agibridge._proto import call_pb2
from bridge import done, ended, started

ANY = "127.0.0.1:0"
BOTH = [Subprotocol("agibridge.v1.proto"), Subprotocol("agibridge.v1.json")]


async def one_noop(call: Call) -> None:
    await call.noop()


def to(server: WebSocketServer, protocols: list[Subprotocol] = BOTH, **options: Any) -> Any:
    return connect(f"ws://{server.address}/calls", subprotocols=protocols, compression=None, **options)


async def read(connection: ClientConnection) -> call_pb2.CallControl:
    frame = await asyncio.wait_for(connection.recv(), 5)
    assert isinstance(frame, bytes)
    return call_pb2.CallControl.FromString(frame)


async def code(connection: ClientConnection) -> int | None:
    await asyncio.wait_for(connection.wait_closed(), 10)
    return connection.close_code


async def test_a_call_is_driven_in_protobuf() -> None:
    async with WebSocketServer(one_noop, ANY) as server, to(server) as connection:
        assert connection.subprotocol == BOTH[0]
        await connection.send(started().SerializeToString())
        assert (await read(connection)).command.id == 1
        await connection.send(done(1).SerializeToString())
        assert (await read(connection)).HasField("end")
        await connection.send(ended().SerializeToString())
        await connection.close(1000)
        assert connection.close_code == 1000


async def test_a_call_is_driven_in_json_and_what_is_newer_is_passed_over() -> None:
    async with WebSocketServer(one_noop, ANY) as server, to(server, BOTH[1:]) as connection:
        events: list[dict[str, Any]] = [
            {"newerEvent": {}},
            {"started": {"callId": "x", "newerField": 1, "maxQueuedCommands": 8}},
        ]
        for event in events:
            await connection.send(json.dumps(event))
        assert json.loads(await connection.recv()) == {"command": {"id": 1, "noop": {}}}
        await connection.send(json.dumps({"result": {"id": 1, "done": {}}}))
        assert json.loads(await connection.recv()) == {"end": {}}
        await connection.send(json.dumps({"ended": {"reason": "REASON_NEWER"}}))
        await connection.close()


async def test_a_subprotocol_must_be_agreed_on() -> None:
    async with WebSocketServer(one_noop, ANY) as server:
        with pytest.raises(InvalidStatus) as caught:
            await to(server, [Subprotocol("other")])
        assert caught.value.response.status_code == 400


@pytest.mark.parametrize(("frame", "wanted"), [("text", 1003), (b"\xff\xff\xff", 1007)])
async def test_frames_that_hold_no_message_lose_the_call(frame: str | bytes, wanted: int) -> None:
    seen: list[str] = []

    async def handle(call: Call) -> None:
        with pytest.raises(CallLost) as caught:
            await call.noop()
        seen.append(str(caught.value))

    async with WebSocketServer(handle, ANY) as server, to(server) as connection:
        await connection.send(started().SerializeToString())
        await read(connection)
        await connection.send(frame)
        assert await code(connection) == wanted
    assert len(seen) == 1


async def test_a_connection_that_goes_away_is_a_lost_call() -> None:
    lost = asyncio.Event()

    async def handle(call: Call) -> None:
        with pytest.raises(CallLost, match="4001 cut"):
            await call.noop()
        lost.set()

    async with WebSocketServer(handle, ANY) as server:
        async with to(server) as connection:
            await connection.send(started().SerializeToString())
            await read(connection)
            await connection.close(4001, "cut")
        await asyncio.wait_for(lost.wait(), 5)


async def test_a_handler_that_fails_closes_with_1011_and_release_with_1012() -> None:
    async def handle(call: Call) -> None:
        if call.route == "release":
            await call.release("ü" * 100)
        else:
            raise ValueError

    async with WebSocketServer(handle, ANY) as server:
        async with to(server) as connection:
            await connection.send(started().SerializeToString())
            assert await code(connection) == 1011
        async with to(server) as connection:
            await connection.send(started(route="release").SerializeToString())
            assert await code(connection) == 1012


async def test_calls_without_the_token_and_one_too_many_are_refused() -> None:
    async with WebSocketServer(one_noop, ANY, token="secret", max_calls=1) as server:
        with pytest.raises(InvalidStatus) as caught:
            await to(server)
        assert caught.value.response.status_code == 401
        shown: Any = {"additional_headers": {"authorization": "Bearer secret"}}
        async with to(server, **shown) as connection:
            await connection.send(started().SerializeToString())
            await read(connection)
            with pytest.raises(InvalidStatus) as caught:
                await to(server, **shown)
            assert caught.value.response.status_code == 503


async def test_tls_takes_pem_as_bytes() -> None:
    authority = trustme.CA()
    mine = authority.issue_cert("localhost")
    ca = authority.cert_pem.bytes()
    tls = ServerTls(mine.cert_chain_pems[0].bytes(), mine.private_key_pem.bytes(), client_ca=ca)
    async with WebSocketServer(one_noop, ANY, tls=tls) as server:
        context = ssl.create_default_context(cadata=ca.decode())
        authority.issue_cert("bridge").configure_cert(context)
        options: Any = {"ssl": context, "server_hostname": "localhost", "subprotocols": BOTH}
        async with connect(f"wss://{server.address}", **options) as connection:
            await connection.send(started().SerializeToString())
            assert (await read(connection)).command.id == 1


async def test_a_drain_refuses_handshakes_and_releases_what_is_left() -> None:
    server = WebSocketServer(one_noop, ANY, drain_timeout=0.2)
    await server.start()
    async with to(server) as connection:
        await connection.send(started().SerializeToString())
        await read(connection)
        drained = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        with pytest.raises(InvalidStatus) as caught:
            await to(server)
        assert caught.value.response.status_code == 503
        assert await code(connection) == 1012
        await asyncio.wait_for(drained, 10)
