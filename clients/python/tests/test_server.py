"""The gRPC server on a real connection."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from agibridge import Call, CallLost, ServeError, Server, ServerTls
from agibridge._proto import call_pb2
from bridge import dial, done, ended, started

ANY = "127.0.0.1:0"


async def one_noop(call: Call) -> None:
    await call.noop()


async def wait_for_ever(_: Call) -> None:
    await asyncio.Event().wait()


async def test_a_call_is_taken_by_headers_and_driven_to_its_end() -> None:
    async def handle(call: Call) -> None:
        seen.append((call.id, call.query("a"), call.channel.caller_id_number))
        await call.noop()

    seen: list[tuple[str, str, str]] = []
    async with Server(handle, ANY) as server, dial(server.address) as open_:
        stream = open_()
        await stream.taken()
        query = [call_pb2.QueryParameter(key="a", value="1"), call_pb2.QueryParameter(key="a", value="2")]
        await stream.say(started(query_parameters=query, channel=call_pb2.Channel(caller_id_number="3200")))
        assert (await stream.control()).command.id == 1
        await stream.say(done(1))
        assert (await stream.control()).HasField("end")
        await stream.say(ended())
        assert await stream.status() == ("OK", "")
    assert seen == [("call-1", "1", "3200")]


async def test_a_handler_that_fails_ends_the_stream_with_internal() -> None:
    async def handle(call: Call) -> None:
        raise ValueError("secret")

    async with Server(handle, ANY) as server, dial(server.address) as open_:
        stream = open_()
        await stream.say(started())
        assert await stream.status() == ("INTERNAL", "the handler failed: ValueError")


async def test_release_ends_the_stream_with_unavailable_behind_the_checkpoint() -> None:
    async def handle(call: Call) -> None:
        await call.checkpoint(b"state")
        await call.release("lunch")

    async with Server(handle, ANY) as server, dial(server.address) as open_:
        stream = open_()
        await stream.say(started())
        assert (await stream.control()).checkpoint.state == b"state"
        assert await stream.status() == ("UNAVAILABLE", "lunch")


async def test_a_stream_that_the_bridge_cancels_is_lost_and_the_handler_cleans_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cleaned = asyncio.Event()

    async def handle(call: Call) -> None:
        with pytest.raises(CallLost):
            await call.wait_for_digit()
        cleaned.set()

    async with Server(handle, ANY) as server, dial(server.address) as open_:
        stream = open_()
        await stream.say(started())
        await stream.control()
        stream.stream.cancel()
        await asyncio.wait_for(cleaned.wait(), 5)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


async def test_a_message_that_is_none_loses_that_stream_alone() -> None:
    async with Server(one_noop, ANY) as server, dial(server.address) as open_:
        raw = open_.channel.stream_stream("/agibridge.v1.CallService/HandleCall")()
        await raw.write(b"\xff\xff\xff")
        assert await raw.code() is not grpc.StatusCode.OK
        stream = open_()
        await stream.say(started())
        assert (await stream.control()).command.id == 1


async def test_calls_without_the_token_are_refused() -> None:
    async with Server(one_noop, ANY, token="secret") as server, dial(server.address) as open_:
        for metadata in ({}, {"authorization": "Bearer wrong"}):
            assert (await open_(**metadata).status())[0] == "UNAUTHENTICATED"
        await open_(authorization="Bearer secret").taken()


async def test_one_call_too_many_is_refused_until_there_is_room() -> None:
    async with Server(one_noop, ANY, max_calls=1) as server, dial(server.address) as open_:
        first = open_()
        await first.taken()
        assert (await open_().status())[0] == "RESOURCE_EXHAUSTED"
        await first.say(started())
        await first.control()
        await first.say(done(1))
        await first.control()
        await first.say(ended())
        assert (await first.status())[0] == "OK"
        await open_().taken()


async def test_a_drain_refuses_new_calls_and_lets_the_others_end() -> None:
    server = Server(one_noop, ANY)
    await server.start()
    async with dial(server.address) as open_:
        health: Any = health_pb2_grpc.HealthStub(open_.channel)
        running = open_()
        await running.say(started())
        await running.control()
        watch = health.Watch(health_pb2.HealthCheckRequest(service="agibridge.v1.CallService"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        drained = asyncio.create_task(server.drain())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == 2
        assert (await open_().status())[0] == "UNAVAILABLE"
        assert not drained.done()
        await running.say(done(1))
        assert (await running.control()).HasField("end")
        await running.say(ended())
        assert (await running.status())[0] == "OK"
        await asyncio.wait_for(drained, 5)


async def test_what_is_left_after_the_drain_timeout_is_released() -> None:
    server = Server(wait_for_ever, ANY, drain_timeout=0.01)
    await server.start()
    async with dial(server.address) as open_:
        running = open_()
        await running.say(started())
        await running.taken()
        await asyncio.wait_for(server.drain(), 5)
        assert await running.status() == ("UNAVAILABLE", "this instance stops")


async def test_a_first_signal_drains_and_a_second_one_releases() -> None:
    server = Server(wait_for_ever, ANY)
    ready = asyncio.Event()
    serving = asyncio.create_task(server.serve(ready=ready.set))
    await ready.wait()
    async with dial(server.address) as open_:
        running = open_()
        await running.say(started())
        await running.taken()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await open_().status())[0] == "UNAVAILABLE"
        assert not serving.done()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await running.status())[0] == "UNAVAILABLE"
        await asyncio.wait_for(serving, 5)


async def test_health_knows_its_services_and_no_others() -> None:
    async with Server(one_noop, ANY) as server, dial(server.address) as open_:
        health: Any = health_pb2_grpc.HealthStub(open_.channel)
        for name in ("", "agibridge.v1.CallService"):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=name))).status == 1
        with pytest.raises(grpc.aio.AioRpcError, match="no such service"):
            await health.Check(health_pb2.HealthCheckRequest(service="other"))


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_can_be_switched_off(on: bool) -> None:
    async with Server(one_noop, ANY, reflection=on) as server, dial(server.address) as open_:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(open_.channel)
        stream = stub.ServerReflectionInfo()
        if on:
            await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            names = [service.name for service in (await stream.read()).list_services_response.service]
            assert "agibridge.v1.CallService" in names
        else:
            assert await stream.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_address_that_is_taken_is_an_error_that_says_so() -> None:
    async with Server(one_noop, ANY) as server:
        with pytest.raises(ServeError, match="is the address taken"):
            await Server(one_noop, server.address).start()


async def test_tls_asks_for_certificates_of_its_authority() -> None:
    authority = trustme.CA()
    mine, theirs = authority.issue_cert("localhost"), authority.issue_cert("bridge")
    ca = authority.cert_pem.bytes()
    tls = ServerTls(mine.cert_chain_pems[0].bytes(), mine.private_key_pem.bytes(), client_ca=ca)
    shown = grpc.ssl_channel_credentials(ca, theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes())
    async with Server(one_noop, ANY, tls=tls) as server:
        async with dial(server.address, shown) as open_:
            await open_().taken()
        async with dial(server.address, grpc.ssl_channel_credentials(ca)) as open_:
            assert (await open_().status())[0] == "UNAVAILABLE"
