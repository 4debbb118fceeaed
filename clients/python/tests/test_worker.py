"""The worker, at bridges that are played by the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
import trustme

from agibridge import Call, CallLost, ClientTls, MisuseError, Worker, WorkerRefused, token_file
from bridge import WorkerBridge, done, ended, started


async def one_noop(call: Call) -> None:
    await call.noop()


@contextlib.asynccontextmanager
async def listening(token: str = "") -> AsyncIterator[tuple[WorkerBridge, str]]:
    bridge = WorkerBridge(token)
    address = await bridge.start()
    try:
        yield bridge, address
    finally:
        await bridge.stop()


async def test_a_worker_registers_and_drives_what_it_is_offered() -> None:
    async with listening("secret") as (bridge, address):
        worker = Worker(one_noop, address, ["a", "b"], worker_id="w", token="secret", max_calls=5, labels={"x": "y"})
        async with worker:
            hello = (await bridge.report()).hello
            assert (hello.worker_id, list(hello.groups), hello.max_calls, dict(hello.labels)) == (
                "w",
                ["a", "b"],
                5,
                {"x": "y"},
            )
            assert bridge.metadata["user-agent"].startswith("agi-bridge-python/0.1.0")
            await bridge.offer("token-1")
            call = await bridge.taken()
            assert call.token == "token-1"
            await call.say(started())
            assert (await call.control()).command.id == 1
            await call.say(done(1))
            assert (await call.control()).HasField("end")
            await call.say(ended())
            assert await call.control() is grpc.aio.EOF
            assert not call.cancelled
            call.over.set()


async def test_tls_is_checked_against_the_name_that_was_dialled() -> None:
    authority = trustme.CA()
    mine = authority.issue_cert("localhost")
    keys = [(mine.private_key_pem.bytes(), mine.cert_chain_pems[0].bytes())]
    bridge = WorkerBridge()
    address = await bridge.start(credentials=grpc.ssl_server_credentials(keys))
    trusted = ClientTls(ca=authority.cert_pem.bytes())
    async with Worker(one_noop, address.replace("127.0.0.1", "localhost"), "a", tls=trusted):
        assert (await bridge.report()).hello.groups == ["a"]
    worker = Worker(one_noop, address, "a", tls=trusted)  # the certificate is for the name alone
    starting = asyncio.create_task(worker.start())
    done, _ = await asyncio.wait({starting}, timeout=0.3)
    assert not done
    assert not worker.bridges
    await worker.stop()
    await starting
    await bridge.stop()


def tokens(*these: str | Exception) -> Callable[[], str]:
    """Gives, or raises, one after the other."""
    given = iter(these)

    def token() -> str:
        it = next(given, OSError("gone"))
        if isinstance(it, Exception):
            raise it
        return it

    return token


async def test_a_token_that_is_a_function_is_asked_for_every_registration_and_call() -> None:
    token = tokens("one", OSError("no such file"), "", "a\nb", "two", "three")
    async with listening() as (bridge, address), Worker(one_noop, address, "a", token=token):
        await bridge.report()
        assert bridge.metadata["authorization"] == "Bearer one"
        await bridge.end_registration()
        await bridge.report()
        assert bridge.metadata["authorization"] == "Bearer two"
        await bridge.offer("call")
        call = await bridge.taken()
        assert call.metadata["authorization"] == "Bearer three"
        call.over.set()
        await bridge.offer("another")
        assert (await bridge.report()).declined.reason == "this worker has no token now"


async def test_after_a_refused_token_the_next_one_is_tried_and_each_reason_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = tokens("stale", "stale", OSError("sealed"), OSError("sealed"), "good")
    async with listening("good") as (bridge, address), Worker(one_noop, address, "a", token=token):
        await bridge.report()
        assert bridge.refused == ["Bearer stale", "Bearer stale"]
        warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(warned) == 2
        assert "the token is refused (this token is not known)" in warned[0]
        assert "there is no token: sealed" in warned[1]


async def test_what_is_no_matter_of_the_token_ends_a_worker_with_a_function_too() -> None:
    async with listening() as (bridge, address):
        bridge.refusal = (grpc.StatusCode.PERMISSION_DENIED, "no")
        with pytest.raises(WorkerRefused, match="must permit all these groups"):
            await asyncio.wait_for(Worker(one_noop, address, "a", token=tokens("good")).serve(), 5)


async def test_a_token_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    async with listening() as (bridge, address), Worker(one_noop, address, "a", token=token_file(file)):
        await bridge.report()
        assert bridge.metadata["authorization"] == "Bearer one"
        file.write_text("two\n")
        await bridge.end_registration()
        await bridge.report()
        assert bridge.metadata["authorization"] == "Bearer two"


async def test_a_wrong_token_ends_the_worker_with_what_to_do() -> None:
    async with listening("secret") as (_, address):
        with pytest.raises(WorkerRefused, match="give this worker the token"):
            await asyncio.wait_for(Worker(one_noop, address, "a", token="wrong").serve(), 5)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "must permit all these groups"),
        (grpc.StatusCode.ALREADY_EXISTS, "its own worker_id"),
    ],
)
async def test_what_no_retry_cures_ends_the_worker(code: grpc.StatusCode, advice: str) -> None:
    async with listening() as (bridge, address):
        bridge.refusal = (code, "no")
        with pytest.raises(WorkerRefused, match=advice):
            await asyncio.wait_for(Worker(one_noop, address, "a").serve(), 5)


async def test_a_worker_that_is_full_declines() -> None:
    async with listening() as (bridge, address):
        worker = Worker(one_noop, address, "a", max_calls=1)
        async with worker:
            await bridge.report()
            await bridge.offer("one")
            call = await bridge.taken()
            await call.say(started())
            await call.control()
            await bridge.offer("two")
            declined = (await bridge.report()).declined
            assert (declined.token, declined.reason) == ("two", "this instance has 1 calls already")
            call.over.set()


async def test_the_limit_counts_over_all_bridges() -> None:
    async with (
        listening() as (first, one),
        listening() as (second, two),
        Worker(one_noop, [one, two], "a", max_calls=1),
    ):
        await first.report()
        await second.report()
        await first.offer("one")
        call = await first.taken()
        await second.offer("two")
        assert (await second.report()).declined.token == "two"
        call.over.set()


async def test_a_worker_comes_back_after_the_bridge_went_away() -> None:
    async with listening() as (bridge, address), Worker(one_noop, address, "a", worker_id="w"):
        await bridge.report()
        await bridge.end_registration()
        assert (await bridge.report()).hello.worker_id == "w"
        await bridge.stop()
        again = WorkerBridge()
        await again.start(bridge.port)
        assert (await again.report()).hello.worker_id == "w"
        await again.stop()


async def test_a_drain_is_reported_and_lets_calls_end() -> None:
    async with listening() as (bridge, address):
        worker = Worker(one_noop, address, "a")
        await worker.start()
        await bridge.report()
        await bridge.offer("one")
        call = await bridge.taken()
        await call.say(started())
        await call.control()
        drained = asyncio.create_task(worker.drain())
        assert (await bridge.report()).status.draining
        await bridge.offer("two")
        assert (await bridge.report()).declined.token == "two"
        assert not drained.done()
        await call.say(done(1))
        await call.control()
        await call.say(ended())
        call.over.set()
        await asyncio.wait_for(drained, 5)


async def test_stopping_cancels_the_stream_so_that_another_worker_gets_the_call() -> None:
    lost = asyncio.Event()

    async def handle(call: Call) -> None:
        try:
            await call.wait_for_digit()
        except CallLost:
            lost.set()

    async with listening() as (bridge, address):
        worker = Worker(handle, address, "a")
        await worker.start()
        await bridge.report()
        await bridge.offer("one")
        call = await bridge.taken()
        await call.say(started())
        await call.control()
        await asyncio.wait_for(worker.stop(), 5)
        assert lost.is_set() or worker.calls == 0
        with contextlib.suppress(asyncio.CancelledError):
            assert await call.control() is grpc.aio.EOF


async def test_load_is_reported() -> None:
    async with listening() as (bridge, address):
        worker = Worker(one_noop, address, "a")
        async with worker:
            await bridge.report()
            await worker.report_load(7)
            assert (await bridge.report()).status.load == 1


async def test_offers_that_are_void_by_now_run_no_handler(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (bridge, address), Worker(one_noop, address, "a"):
        await bridge.report()
        await bridge.offer("void")
        (await bridge.taken()).over.set()
        await bridge.offer("good")
        call = await bridge.taken()
        await call.say(started())
        await call.control()
        call.over.set()
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_address_without_a_port_is_misuse() -> None:
    with pytest.raises(MisuseError, match="host:port"):
        Worker(one_noop, "bridge.example", "a")
