"""The manager client, at a bridge that is played by the test."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration

from agibridge import (
    Application,
    ClientTls,
    Destination,
    Dialplan,
    Lost,
    Manager,
    ManagerError,
    ManagerEvent,
    Missed,
    MisuseError,
    Outcome,
    Route,
    ServerState,
    Told,
)
from agibridge._proto import manager_pb2 as pb
from manager_bridge import ManagerBridge

AWAY = (grpc.StatusCode.UNAVAILABLE, "the bridge is draining")
ANSWERED = pb.OriginateResponse(outcome=pb.OriginateResponse.OUTCOME_ANSWERED, channel="PJSIP/1-1", unique_id="u-1")
UP = {"server_state": pb.ServerState(server="pbx", connected=True, asterisk_version="22.1")}


def event(name: str, **headers: str) -> dict[str, Any]:
    pairs = [pb.Header(key=key, value=value) for key, value in headers.items()]
    return {"event": pb.ManagerEvent(server="pbx", name=name, headers=pairs)}


@contextlib.asynccontextmanager
async def asking(token: str | None = None) -> AsyncIterator[tuple[ManagerBridge, Manager]]:
    bridge = ManagerBridge()
    address = await bridge.start()
    try:
        async with Manager(address, token=token) as manager:
            yield bridge, manager
    finally:
        await bridge.stop()


class Heard:
    """A handler whose calls are awaited one by one."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Told] = asyncio.Queue()

    async def __call__(self, told: Told) -> None:
        self.told.put_nowait(told)

    async def next(self) -> Told:
        return await asyncio.wait_for(self.told.get(), 5)


async def test_originate_says_what_became_of_the_call() -> None:
    async with asking("secret") as (bridge, manager):
        bridge.answers = [ANSWERED]
        call = await manager.originate(
            "PJSIP/3200",
            Dialplan("internal", "8495", priority=2),
            server="pbx",
            caller_id_number="100",
            caller_id_name="Ann",
            ring_timeout=12.5,
            variables={"__A": "b"},
            account_code="acc",
            early_media=True,
            codecs=["alaw"],
        )
        assert (call.outcome, call.answered, call.channel, call.unique_id) == (
            Outcome.ANSWERED,
            True,
            "PJSIP/1-1",
            "u-1",
        )
        asked = bridge.asked[0]
        assert uuid.UUID(asked.request_id) == uuid.UUID(call.request_id)
        assert (asked.channel, asked.server, asked.wait_for_outcome) == ("PJSIP/3200", "pbx", True)
        assert (asked.dialplan.context, asked.dialplan.extension, asked.dialplan.priority) == ("internal", "8495", 2)
        assert (asked.caller_id_number, asked.caller_id_name, asked.account_code) == ("100", "Ann", "acc")
        assert asked.ring_timeout.ToTimedelta().total_seconds() == 12.5
        assert (dict(asked.variables), asked.early_media, list(asked.codecs)) == ({"__A": "b"}, True, ["alaw"])
        assert bridge.metadata["authorization"] == "Bearer secret"
        assert bridge.metadata["user-agent"].startswith("agi-bridge-python/")


@pytest.mark.parametrize(
    ("destination", "wanted"),
    [
        (Application("Wait", "60"), {"application": pb.ApplicationTarget(application="Wait", data="60")}),
        (Route("/reminder?a=1"), {"route": "/reminder?a=1"}),
    ],
)
async def test_a_call_goes_to_an_application_or_a_route(destination: Destination, wanted: dict[str, Any]) -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [pb.OriginateResponse(outcome=pb.OriginateResponse.OUTCOME_ACCEPTED)]
        call = await manager.originate("PJSIP/1", destination, wait=False, request_id="mine")
        assert (call.outcome, call.answered, call.request_id) == (Outcome.ACCEPTED, False, "mine")
        assert bridge.asked[0] == pb.OriginateRequest(
            channel="PJSIP/1", request_id="mine", ring_timeout=Duration(seconds=30), **wanted
        )


async def test_an_outcome_of_a_newer_contract_keeps_its_number() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [pb.OriginateResponse(outcome=77)]  # type: ignore[arg-type]
        assert (await manager.originate("PJSIP/1", Route("/x"))).outcome.name == "UNKNOWN(77)"


async def test_originate_is_asked_again_with_the_same_request_id() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [AWAY, (grpc.StatusCode.UNKNOWN, "the bridge stops"), ANSWERED]
        assert (await manager.originate("PJSIP/1", Route("/x"))).answered
        assert len({asked.request_id for asked in bridge.asked}) == 1
        assert len(bridge.asked) == 3


async def test_originate_survives_a_bridge_that_is_restarted() -> None:
    async with asking() as (bridge, manager):
        reached = asyncio.Event()
        bridge.answers = [reached]
        calling = asyncio.create_task(manager.originate("PJSIP/1", Route("/x")))
        await asyncio.wait_for(reached.wait(), 5)
        await bridge.stop()
        again = ManagerBridge()
        again.answers = [ANSWERED]
        await again.start(bridge.port)
        assert (await calling).answered
        assert again.asked[0].request_id == bridge.asked[0].request_id
        await again.stop()


async def test_without_a_request_id_nothing_is_asked_again() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [AWAY]
        with pytest.raises(ManagerError, match="draining"):
            await manager.originate("PJSIP/1", Route("/x"), request_id="")
        assert bridge.asked[0].request_id == ""


async def test_the_deadline_ends_an_originate_and_its_error_has_the_request_id() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [asyncio.Event()]
        with pytest.raises(ManagerError) as raised:
            await manager.originate("PJSIP/1", Route("/x"), timeout=0.1)
        assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert raised.value.request_id == bridge.asked[0].request_id


async def test_a_bridge_that_is_not_there_is_asked_until_the_deadline() -> None:
    async with asking() as (bridge, manager):
        await bridge.stop()
        with pytest.raises(ManagerError, match="is away"):
            await manager.originate("PJSIP/1", Route("/x"), timeout=0.5)


async def test_an_action_gives_its_list_and_its_output() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [
            pb.SendActionResponse(
                success=True,
                message="ok",
                headers=[pb.Header(key="Variable", value="1"), pb.Header(key="variable", value="2")],
                events=[event("CoreShowChannel", Channel="PJSIP/1")["event"]],
                output=["a", "b"],
                truncated=True,
            )
        ]
        reply = await manager.send_action("X", [("V", "1"), ("V", "2")], server="pbx", timeout=3)
        asked = bridge.asked[0]
        assert [(header.key, header.value) for header in asked.headers] == [("V", "1"), ("V", "2")]
        assert (asked.action, asked.server, asked.timeout.seconds) == ("X", "pbx", 3)
        assert (reply.success, reply.message, reply.output, reply.truncated) == (True, "ok", ("a", "b"), True)
        assert (reply.headers.get("VARIABLE"), reply.headers.all("Variable")) == ("1", ["1", "2"])
        assert [(one.name, one.get("channel")) for one in reply.events] == [("CoreShowChannel", "PJSIP/1")]


async def test_what_asterisk_says_no_to_is_an_answer_and_no_error() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [pb.SendActionResponse(message="No such channel")]
        reply = await manager.send_action("Hangup", {"Channel": "PJSIP/1"})
        assert (reply.success, reply.message) == (False, "No such channel")


async def test_an_action_is_never_asked_again() -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [AWAY]
        with pytest.raises(ManagerError, match="SendAction failed with UNAVAILABLE"):
            await manager.send_action("Ping")
        assert len(bridge.asked) == 1


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "api.clients"),
        (grpc.StatusCode.PERMISSION_DENIED, "granted"),
        (grpc.StatusCode.INVALID_ARGUMENT, "correct the field"),
        (grpc.StatusCode.DATA_LOSS, "the bridge's log"),
    ],
)
async def test_a_refusal_is_an_error_that_says_what_to_do(code: grpc.StatusCode, advice: str) -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [(code, "why")]
        with pytest.raises(ManagerError, match=rf"{code.name} \(why\): .*{advice}") as raised:
            await manager.originate("PJSIP/1", Route("/x"))
        assert (raised.value.code, raised.value.detail, raised.value.method) == (code, "why", "Originate")


async def test_servers_are_listed_and_asked_for_again() -> None:
    async with asking() as (bridge, manager):
        down = pb.ServerState(server="pbx", detail="no connection")
        bridge.answers = [AWAY, pb.ListServersResponse(servers=[down])]
        assert await manager.list_servers() == [ServerState("pbx", False, "", "no connection")]


async def test_a_subscription_tells_events_what_was_missed_and_the_links() -> None:
    async with asking() as (bridge, manager):
        heard = Heard()
        async with manager.subscribe(heard, ["Hangup", "Newchannel"], match={"Uniqueid": "1"}, server="pbx"):
            watch = await bridge.watch()
            assert list(watch.request.names) == ["Hangup", "Newchannel"]
            assert (dict(watch.request.match), watch.request.server) == ({"Uniqueid": "1"}, "pbx")
            await watch.say(**UP)
            await watch.say(**event("Hangup", Uniqueid="1", Cause="16"))
            await watch.say(missed=3)
            assert await heard.next() == ServerState("pbx", True, "22.1", "")
            hangup = await heard.next()
            assert isinstance(hangup, ManagerEvent)
            assert (hangup.server, hangup.get("cause"), str(hangup)) == ("pbx", "16", "Hangup Uniqueid='1' Cause='16'")
            assert await heard.next() == Missed(3)
        await asyncio.wait_for(watch.over.wait(), 5)


async def test_a_subscription_hears_everything_unless_told_otherwise() -> None:
    async with asking() as (bridge, manager):
        told: asyncio.Queue[Told] = asyncio.Queue()
        manager.subscribe(told.put_nowait)  # no coroutine function
        watch = await bridge.watch()
        assert list(watch.request.names) == ["*"]
        await watch.say(missed=1)
        assert await asyncio.wait_for(told.get(), 5) == Missed(1)


@pytest.mark.parametrize("end", [None, AWAY, (grpc.StatusCode.UNKNOWN, "reset")])
async def test_a_subscription_comes_back_when_its_stream_ends(end: tuple[grpc.StatusCode, str] | None) -> None:
    async with asking() as (bridge, manager):
        heard = Heard()
        manager.subscribe(heard, match={"Uniqueid": "1"})
        watch = await bridge.watch()
        await watch.say(**UP)
        assert isinstance(await heard.next(), ServerState)
        watch.end.set_result(end)
        assert isinstance(await heard.next(), Lost)
        watch = await bridge.watch()
        assert dict(watch.request.match) == {"Uniqueid": "1"}
        await watch.say(**UP)
        assert isinstance(await heard.next(), ServerState)


async def test_a_subscription_survives_a_bridge_that_is_restarted_and_tells_the_loss_once() -> None:
    async with asking() as (bridge, manager):
        heard = Heard()
        manager.subscribe(heard)
        await bridge.watch()
        await bridge.stop()
        assert isinstance(await heard.next(), Lost)
        again = ManagerBridge()
        again.answers = [AWAY, AWAY]
        await again.start(bridge.port)
        await (await again.watch()).say(**UP)
        assert isinstance(await heard.next(), ServerState)
        await again.stop()


async def test_a_refusal_ends_a_subscription(caplog: pytest.LogCaptureFixture) -> None:
    async with asking() as (bridge, manager):
        bridge.answers = [(grpc.StatusCode.PERMISSION_DENIED, "names: `Hangup` is not granted")]
        with pytest.raises(ManagerError, match="WatchEvents failed with PERMISSION_DENIED"):
            await asyncio.wait_for(manager.subscribe(print, "Hangup").wait(), 5)
    assert "a subscription to events ended" in caplog.text


async def test_a_handler_that_fails_ends_its_subscription_and_no_other() -> None:
    def fails(_: Told) -> None:
        raise KeyError("oh dear")

    async with asking() as (bridge, manager):
        heard = Heard()
        failing = manager.subscribe(fails)
        first = await bridge.watch()
        manager.subscribe(heard)
        second = await bridge.watch()
        await first.say(missed=1)
        with pytest.raises(KeyError, match="oh dear"):
            await asyncio.wait_for(failing.wait(), 5)
        await asyncio.wait_for(first.over.wait(), 5)
        await second.say(missed=2)
        assert await heard.next() == Missed(2)


async def test_a_handler_may_close_its_own_subscription() -> None:
    async with asking() as (bridge, manager):
        told: list[Told] = []

        async def once(what: Told) -> None:
            told.append(what)
            await subscription.close()

        subscription = manager.subscribe(once)
        watch = await bridge.watch()
        # The second may come too late to be sent at all.
        await asyncio.gather(watch.say(missed=1), watch.say(missed=2), return_exceptions=True)
        await asyncio.wait_for(subscription.wait(), 5)
        assert told == [Missed(1)]
        await asyncio.wait_for(watch.over.wait(), 5)


async def test_a_request_that_is_cancelled_is_taken_back() -> None:
    async with asking() as (bridge, manager):
        reached = asyncio.Event()
        bridge.answers = [reached]
        asking_it = asyncio.create_task(manager.send_action("Ping"))
        await asyncio.wait_for(reached.wait(), 5)
        asking_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking_it


async def test_closing_ends_subscriptions_and_fails_what_runs() -> None:
    async with asking() as (bridge, manager):
        reached = asyncio.Event()
        bridge.answers = [reached]
        running = asyncio.create_task(manager.originate("PJSIP/1", Route("/x")))
        await asyncio.wait_for(reached.wait(), 5)
        subscription = manager.subscribe(print)
        await bridge.watch()
        await manager.close()
        await asyncio.wait_for(subscription.wait(), 5)
        with pytest.raises(ManagerError, match="CANCELLED"):
            await running
        with pytest.raises(MisuseError, match="closed"):
            await manager.list_servers()
        with pytest.raises(MisuseError, match="closed"):
            manager.subscribe(print)


async def test_tls_is_checked_against_the_name_that_was_dialled() -> None:
    authority = trustme.CA()
    mine = authority.issue_cert("localhost")
    keys = [(mine.private_key_pem.bytes(), mine.cert_chain_pems[0].bytes())]
    bridge = ManagerBridge()
    address = await bridge.start(credentials=grpc.ssl_server_credentials(keys))
    bridge.answers = [pb.SendActionResponse(success=True)]
    trusted = ClientTls(ca=authority.cert_pem.bytes())
    async with Manager(address.replace("127.0.0.1", "localhost"), tls=trusted) as manager:
        assert (await manager.send_action("Ping")).success
    async with Manager(address, tls=trusted) as manager:  # the certificate is for the name alone
        with pytest.raises(ManagerError, match="UNAVAILABLE"):
            await manager.send_action("Ping")
    await bridge.stop()


async def test_a_connection_that_takes_its_time_is_waited_for() -> None:
    bridge = ManagerBridge()
    bridge.answers = [pb.ListServersResponse()]
    port = (await bridge.start()).rpartition(":")[2]
    accepted = 0

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def far_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await asyncio.sleep(0.5)
        behind = await asyncio.open_connection("127.0.0.1", int(port))
        await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    relay = await asyncio.start_server(far_away, "127.0.0.1", 0)
    async with relay, Manager(f"127.0.0.1:{relay.sockets[0].getsockname()[1]}") as manager:
        assert await manager.list_servers() == []
    await bridge.stop()
    assert accepted == 1


def test_an_address_without_a_port_is_misuse() -> None:
    with pytest.raises(MisuseError, match="host:port"):
        Manager("bridge.example")
