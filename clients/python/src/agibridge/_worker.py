"""The worker: dials in to bridges, and takes calls while it has room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from ._dial import PAUSE_MAX, PAUSE_MIN, checked, credentials, dial, jitter
from ._machine import Close
from ._proto import call_pb2, worker_pb2
from ._serving import Serving
from ._session import Handler, LinkLost
from ._token import NoToken, Token, shown
from .errors import WorkerRefused
from .tls import ClientTls

log = logging.getLogger("agibridge")

_SERVICE = worker_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name

RESOLVE_EVERY = 30.0
# After a call the bridge has this long to end its side of the stream.
_CLOSE_TIMEOUT = 5.0

_ADVICE = {
    grpc.StatusCode.UNAUTHENTICATED: "give this worker the token that stands in the bridge's api.workers",
    grpc.StatusCode.PERMISSION_DENIED: "check token and groups: api.workers of the bridge must permit all these groups",
    grpc.StatusCode.ALREADY_EXISTS: "another worker with other credentials has this name: give each its own worker_id",
    grpc.StatusCode.INVALID_ARGUMENT: "correct worker_id, groups or labels",
}
"""What no retry can cure, and what does."""

_TOKEN_ADVICE = (
    "see that the bridge's jwt and api.workers have its issuer, audience and claims, and that the clocks agree"
)
"""A function may give a better token the next time."""

_Registration: TypeAlias = "grpc.aio.StreamStreamCall[Message, worker_pb2.WorkerOffer]"
_Stream: TypeAlias = "grpc.aio.StreamStreamCall[Message, call_pb2.CallEvent]"


class Worker(Serving):
    """Dials in: ``Worker(handle, "bridge.example:4575", groups=["sales"], token=…).run()``.

    - ``bridge``: host and port of the bridges' ``api``: it registers at every address of the name, which is looked up
      anew every 30 s; or a list of such.
    - ``groups``: the worker groups that it serves, as routes name them: ``worker://sales``.
    - ``worker_id``: stable over reconnects, as a pod's name; None: the machine's name with something random.
    - ``token``, ``tls``: what is shown to bridges; ``tls`` None: plain text. A ``token`` that is a function is called
      for every registration and every call, so that one that expires can be renewed: as a rule it is ``token_file``.
      It runs on the event loop. While it raises no bridge is asked, and calls are declined; a bridge that refuses what
      it gave is asked again with what it gives then, for as long as it takes.
    - ``max_calls``: over all bridges; what is offered beyond that is declined.
    - ``labels``: for people, on the bridge's admin port.
    - ``cleanup_timeout``, ``drain_timeout``: as for ``Server``.

    It connects again, with growing pauses from 0.1 to 10 s, when a bridge goes away. WorkerRefused ends it for what
    no retry can cure: a wrong token that is no function's, a group that is not permitted, a name that another worker
    has.
    """

    def __init__(
        self,
        handler: Handler,
        bridge: str | Sequence[str],
        groups: str | Sequence[str],
        *,
        worker_id: str | None = None,
        token: Token = None,
        tls: ClientTls | None = None,
        max_calls: int = 100,
        labels: Mapping[str, str] | None = None,
        cleanup_timeout: float = 10.0,
        drain_timeout: float = 3600.0,
    ) -> None:
        """Keeps the settings; ``run``, ``serve``, ``start`` or ``async with`` register it."""
        super().__init__(
            handler,
            token=None,
            max_calls=max_calls,
            cleanup_timeout=cleanup_timeout,
            drain_timeout=drain_timeout,
        )
        self._bridges = [checked(one) for one in ([bridge] if isinstance(bridge, str) else bridge)]
        self._tls = tls
        self._token_shown = token
        self._load = 0.0
        self._hello = worker_pb2.WorkerHello(
            worker_id=worker_id or f"{socket.gethostname()}-{secrets.token_hex(4)}",
            groups=[groups] if isinstance(groups, str) else groups,
            max_calls=max_calls,
            labels=labels,
        )
        self._known: dict[str, str] = {}  # address: the name that it has
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._registered: dict[str, _Attendance] = {}
        self._keeper: asyncio.Task[None] | None = None

    @property
    def worker_id(self) -> str:
        """The name under which it registers."""
        return self._hello.worker_id

    @property
    def bridges(self) -> list[str]:
        """The addresses of the bridges at which it is registered now."""
        return list(self._registered)

    async def start(self) -> None:
        """Registers, and returns once the first bridge has it. WorkerRefused when a bridge never will."""
        await super().start()

    async def report_load(self, load: float) -> None:
        """Tells the bridges how busy this worker is, from 0 to 1: offers go to the least loaded first."""
        self._load = min(max(load, 0.0), 1.0)
        await self._report()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return credentials(shown(self._token_shown))

    async def _open(self) -> None:
        self._keeper = asyncio.create_task(self._keep())
        while not self._registered and self._failure is None and self._asked == 0:
            self._change.clear()
            await self._change.wait()
        if self._failure is not None:
            await self._finish()
            raise self._failure

    async def _refuse(self) -> None:
        await self._report()

    async def _close(self) -> None:
        tasks = [task for task in (self._keeper, *self._attending.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _report(self) -> None:
        status = worker_pb2.WorkerStatus(draining=self._refusing, load=self._load)
        for attendance in list(self._registered.values()):
            await attendance.report(worker_pb2.WorkerReport(status=status))

    async def _keep(self) -> None:
        """Looks the names up again and again, and attends at every address."""
        pause = PAUSE_MIN
        while True:
            known: dict[str, str] = {}
            failed = False
            for bridge in self._bridges:
                try:
                    known.update(await _resolve(bridge))
                except OSError as error:
                    failed = True
                    log.warning("cannot look up %s (%s): does the name exist?", bridge, error)
                    known.update({address: name for address, name in self._known.items() if name == bridge})
            self._known = known
            for address in known.keys() - self._attending.keys():
                task = asyncio.create_task(self._attend(address, known[address]))
                self._attending[address] = task
                task.add_done_callback(partial(self._left, address))
            pause = min(pause * 2, PAUSE_MAX) if failed else PAUSE_MIN
            await asyncio.sleep(jitter(pause) if failed else RESOLVE_EVERY)

    def _left(self, address: str, _: asyncio.Task[None]) -> None:
        self._attending.pop(address, None)

    async def _attend(self, address: str, bridge: str) -> None:
        """Keeps this worker registered at one address, for as long as the name has it."""
        pause = PAUSE_MIN
        told = ""  # why it is not registered: it may be so for hours, and is told once
        channel = dial(address, bridge, self._tls)
        attendance = _Attendance(self, channel, address)
        try:
            while address in self._known and not self._refusing:
                try:
                    await attendance.attend()
                except NoToken as error:
                    why = f"there is no token: {error}"
                except grpc.aio.AioRpcError as error:
                    code, detail = error.code(), error.details()
                    why = f"{code.name}: {detail}"
                    if code is grpc.StatusCode.UNAUTHENTICATED and callable(self._token_shown):
                        why = f"the token is refused ({detail}), and the next one is tried: {_TOKEN_ADVICE}"
                    elif code in _ADVICE:
                        text = f"the bridge at {bridge} refuses worker {self.worker_id} ({detail}): {_ADVICE[code]}"
                        self._fail(WorkerRefused(text))
                        return
                    elif code is grpc.StatusCode.ABORTED:
                        log.warning("another process registered as %s: give each its own worker_id", self.worker_id)
                        attendance.was_registered = False  # or the two would take turns without a pause
                else:
                    why = ""
                if why and (attendance.was_registered or why != told):
                    log.warning("not registered at %s (%s); trying again", address, why)
                told = why
                pause = PAUSE_MIN if attendance.was_registered else min(pause * 2, PAUSE_MAX)
                await asyncio.sleep(jitter(pause))
        finally:
            # What runs over this channel goes on until it is over.
            await asyncio.shield(attendance.leave())


class _Attendance:
    """One bridge's registration, and the calls that come by it."""

    def __init__(self, worker: Worker, channel: grpc.aio.Channel, address: str) -> None:
        self._worker = worker
        self._channel = channel
        self._address = address
        self._stream: _Registration | None = None
        self._writing = asyncio.Lock()
        self._calls: set[asyncio.Task[Close]] = set()
        self.was_registered = False
        self._register = channel.stream_stream(
            f"/{_SERVICE}/Register",
            request_serializer=worker_pb2.WorkerReport.SerializeToString,
            response_deserializer=worker_pb2.WorkerOffer.FromString,
        )
        self._take = channel.stream_stream(
            f"/{_SERVICE}/TakeCall",
            request_serializer=call_pb2.CallControl.SerializeToString,
            response_deserializer=call_pb2.CallEvent.FromString,
        )

    async def attend(self) -> None:
        """Registers, and takes offers until the registration ends."""
        worker = self._worker
        self.was_registered = False
        stream = self._stream = self._register(metadata=worker._metadata())
        try:
            await self.report(worker_pb2.WorkerReport(hello=worker._hello))
            while True:
                offer = await stream.read()
                if not isinstance(offer, worker_pb2.WorkerOffer):
                    return
                if offer.HasField("registered"):
                    log.info("registered at %s (%s)", offer.registered.bridge_id, self._address)
                    self.was_registered = True
                    worker._registered[self._address] = self
                    worker._change.set()
                    if worker._load or worker._refusing:
                        await worker._report()
                elif offer.HasField("call"):
                    await self._consider(offer.call)
                elif offer.HasField("heartbeat"):
                    await self.report(worker_pb2.WorkerReport(heartbeat=offer.heartbeat))
                # withdrawn: it is void for whoever has not taken it; a newer contract's: not for us
        finally:
            worker._registered.pop(self._address, None)
            stream.cancel()

    async def report(self, report: worker_pb2.WorkerReport) -> None:
        """Tells the bridge something; a registration that has broken tells its own reader."""
        stream = self._stream
        if stream is not None:
            async with self._writing:
                with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await stream.write(report)

    async def leave(self) -> None:
        """Closes the connection once its calls are over."""
        if self._calls:
            await asyncio.wait(self._calls)
        await self._channel.close()

    async def _consider(self, offer: worker_pb2.CallOffer) -> None:
        refusal = self._worker._refusal({})
        if refusal is not None:
            await self._decline(offer, refusal.detail)
            return
        try:
            metadata = self._worker._metadata()
        except NoToken as error:
            log.warning("a call is declined: there is no token (%s)", error)
            await self._decline(offer, "this worker has no token now")
            return
        stream = self._take(metadata=(*metadata, ("agibridge-offer-token", offer.token)))
        link = _WorkerLink(stream, {"agibridge-call-id": offer.call_id, "agibridge-route": offer.route})
        _, task = self._worker._launch(link)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _decline(self, offer: worker_pb2.CallOffer, reason: str) -> None:
        declined = worker_pb2.OfferDeclined(token=offer.token, reason=reason)
        await self.report(worker_pb2.WorkerReport(declined=declined))


class _WorkerLink:
    """A call's stream that this worker opened."""

    system = "grpc"

    def __init__(self, stream: _Stream, metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        self._stream = stream

    async def receive(self) -> call_pb2.CallEvent | None:
        try:
            event = await self._stream.read()
        except grpc.aio.AioRpcError as error:
            raise LinkLost(f"{error.code().name}: {error.details()}") from error
        except Exception as error:
            raise LinkLost(str(error) or type(error).__name__) from error
        return event if isinstance(event, call_pb2.CallEvent) else None

    async def send(self, control: call_pb2.CallControl) -> None:
        try:
            await self._stream.write(control)
        except grpc.aio.AioRpcError as error:
            raise LinkLost(f"{error.code().name}: {error.details()}") from error
        except Exception as error:
            raise LinkLost(str(error) or type(error).__name__) from error

    async def finish(self, close: Close) -> None:
        """Ends the stream: half-closed when all is well; else cancelled, which the bridge takes for a loss."""
        if close.code == "OK":
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.TimeoutError):
                await self._stream.done_writing()
                await asyncio.wait_for(self._stream.code(), _CLOSE_TIMEOUT)
        self._stream.cancel()


async def _resolve(bridge: str) -> dict[str, str]:
    """Gives every address of a bridge's name, as gRPC writes them."""
    host, _, port = bridge.rpartition(":")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    addresses: dict[str, str] = {}
    for family, _, _, _, address in found:
        text = f"ipv6:[{address[0]}]:{port}" if family == socket.AF_INET6 else f"ipv4:{address[0]}:{port}"
        addresses[text] = bridge
    return addresses
