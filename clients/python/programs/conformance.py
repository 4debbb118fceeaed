"""Drives calls by scripts in JSON, for the tests that all client libraries have in common.

Usage: conformance grpc SCRIPTS | conformance websocket SCRIPTS | conformance worker SCRIPTS API [TOKEN]
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import translate
from agibridge import (
    AgiBridgeError,
    Call,
    CallLost,
    CommandError,
    Goto,
    HungUp,
    MisuseError,
    NoInput,
    Pending,
    Server,
    WebSocketServer,
    Worker,
    WorkerRefused,
    token_file,
)

JSON = dict[str, Any]
running: dict[str, Call] = {}
reports: set[asyncio.Task[None]] = set()


def write(line: JSON) -> None:
    """Writes one line for the test."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@dataclass
class Script:
    """One call and its script."""

    call: Call
    name: str
    steps: list[JSON]
    results: list[JSON] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)
    commands: list[Pending[Any]] = field(default_factory=list)
    handler: str = "returned"
    message: str = ""

    async def play(self) -> None:
        """Does the steps, one after the other."""
        self.call.on_progress(lambda progress: self.progress.append(progress.text))
        for step in self.steps:
            ((kind, argument),) = step.items()
            over = await getattr(self, f"_do_{kind}")(argument)
            if over:
                return

    async def note(self, kind: str, awaitable: Awaitable[Any]) -> None:
        """Waits for something, and notes what it gave."""
        try:
            self.results.append(translate.outcome(kind, await awaitable))
        except CallLost as lost:
            self.results.append(failure(lost))
            raise
        except AgiBridgeError as error:
            self.results.append(failure(error))

    async def _do_command(self, command: JSON) -> None:
        name, submit = translate.command(command)
        try:
            pending = submit(self.call)
        except AgiBridgeError as error:
            self.results.append(failure(error))
            return
        self.commands.append(pending)
        await self.note(name, pending)

    async def _do_batch(self, steps: list[JSON], *, wait: bool = True) -> None:
        batch = self.call.batch(skip_after_error=False)
        cancels: list[int] = []
        names: list[str] = []
        for step in steps:
            if "cancel" in step:
                cancels.append(step["cancel"]["id"])
            else:
                name, submit = translate.command(step["command"])
                names.append(name)
                submit(batch)
        try:
            batch.send()
        except AgiBridgeError as error:
            self.results.extend(failure(error) for _ in names)
            return
        first = len(self.commands)
        self.commands.extend(batch)
        for number in cancels:
            self.commands[number - 1].cancel()
        if not wait:
            return
        for name, pending in zip(names, self.commands[first:], strict=True):
            await self.note(name, pending)

    async def _do_begin(self, steps: list[JSON]) -> None:
        await self._do_batch(steps, wait=False)

    async def _do_checkpoint(self, argument: JSON) -> None:
        await self.call.checkpoint(base64.b64decode(argument.get("state", "")))

    async def _do_end(self, end: JSON) -> None:
        goto = end.get("gotoDialplan")
        await self.call.end(
            end.get("variables"),
            goto=Goto(goto.get("context", ""), goto.get("extension", ""), goto.get("priority", 0)) if goto else None,
            hang_up="hangUp" in end,
            fail=end["failDialplan"].get("reason", "") if "failDialplan" in end else None,
        )

    async def _do_handoff(self, argument: JSON) -> None:
        state = argument.get("state")
        await self.call.handoff(argument.get("route", ""), None if state is None else base64.b64decode(state))

    async def _do_wait(self, time: str) -> None:
        await asyncio.sleep(translate.seconds(time))

    async def _do_waitFor(self, what: str) -> None:
        write({"event": "waiting", "script": self.name, "for": what})
        waits: Mapping[str, Callable[[], Awaitable[object]]] = {
            "hangup": self.call.wait_hung_up,
            "draining": self.call.wait_draining,
            "ended": self.call.wait_ended,
        }
        await waits[what]()

    async def _do_close(self, how: str) -> bool:
        if how == "error":
            await self.call.release("the script says so")
        return True

    async def _do_throw(self, text: str) -> None:
        raise RuntimeError(text)

    async def _do_hang(self, _: JSON) -> None:
        write({"event": "waiting", "script": self.name, "for": "ever"})
        await asyncio.Event().wait()

    async def _do_running(self, _: JSON) -> None:
        before = self.call.resumption
        if before is None or before.running is None:
            raise RuntimeError("there is no running command")
        await self.note(before.running.name, before.running)

    async def _do_steal(self, other: str) -> None:
        try:
            await running[other].noop()
        except AgiBridgeError as error:
            self.results.append(failure(error))
        else:
            self.results.append({"done": {}})

    async def _do_play(self, argument: JSON) -> None:
        await self.note("play", self.call.play(argument.get("files", []), argument.get("escapeDigits", "")))

    async def _do_ask(self, argument: JSON) -> None:
        options = translate.options(argument, "prompt", "maxDigits", "timeout", "tries", "invalid")
        if "accept" in argument:
            options["validate"] = lambda digits: digits == argument["accept"]
        await self.note("ask", self.call.ask(**options))

    async def _do_menu(self, argument: JSON) -> None:
        options = translate.options(argument, "prompt", "choices", "timeout", "tries", "invalid")
        await self.note("menu", self.call.menu(**options))

    async def _do_confirm(self, argument: JSON) -> None:
        options = translate.options(argument, "prompt", "yes", "no", "timeout", "tries", "invalid")
        await self.note("confirm", self.call.confirm(**options))

    async def _do_nextDigit(self, argument: JSON) -> None:
        await self.note("nextDigit", self.call.next_digit(**translate.options(argument, "timeout")))

    async def _do_takeDigits(self, _: JSON) -> None:
        self.results.append({"takeDigits": {"digits": self.call.take_digits()}})

    async def _do_interrupt(self, _: JSON) -> None:
        self.call.interrupt()

    async def report(self) -> None:
        """Writes what became of the call, once its stream is closed."""
        with contextlib.suppress(CallLost):
            await self.call.wait_ended()
        write(
            {
                "event": "call",
                "script": self.name,
                "attempt": self.call.resumption.attempt if self.call.resumption else 0,
                "started": translate.started(self.call),
                "resumption": translate.resumption(self.call),
                "results": self.results,
                "progress": self.progress,
                "hangup": translate.hangup(self.call),
                "draining": self.call.draining is not None,
                "ended": translate.ended(self.call),
                "handler": self.handler,
                "message": self.message,
            }
        )


def failure(error: AgiBridgeError) -> JSON:
    """Gives an error as the protocol of these programs has it."""
    if isinstance(error, CommandError):
        code = f"CODE_{error.code.name}" if error.code.known else error.code.name
    else:
        names = {HungUp: "CODE_HUNG_UP", CallLost: "LOST", MisuseError: "MISUSE", NoInput: "NO_INPUT"}
        code = names.get(type(error), type(error).__name__)
    return {"error": {"code": code, "message": str(error)}}


def handler(scripts: Path) -> Callable[[Call], Awaitable[None]]:
    """Makes the handler that plays the scripts of a folder."""

    async def handle(call: Call) -> None:
        name = call.path_parameters.get("script", "")
        attempt = call.resumption.attempt if call.resumption else 0
        file = scripts / (f"{name}.{attempt}.json" if attempt else f"{name}.json")
        script = Script(call, name, json.loads(file.read_text()))
        running[name] = call
        try:
            await script.play()
        except HungUp:
            script.handler = "hung_up"
            raise
        except CallLost as lost:
            script.handler, script.message = "lost", str(lost)
            raise
        except asyncio.CancelledError:
            script.handler = "cancelled"
            raise
        except Exception as error:
            script.handler, script.message = "failed", str(error)
            raise
        finally:
            if running.get(name) is call:
                del running[name]
            task = asyncio.create_task(script.report())
            reports.add(task)
            task.add_done_callback(reports.discard)

    return handle


async def main(arguments: list[str]) -> None:
    """Serves until a signal."""
    match arguments:
        case ["grpc" | "websocket" as way, scripts]:
            server = (Server if way == "grpc" else WebSocketServer)(handler(Path(scripts)), "127.0.0.1:0")
            await server.serve(ready=lambda: write({"event": "listening", "address": server.address}))
        case ["worker", scripts, api, *shown]:
            token = shown[0] if shown else None
            worker = Worker(
                handler(Path(scripts)),
                api,
                "kit",
                token=token_file(token.removeprefix("file:")) if token and token.startswith("file:") else token,
            )
            await worker.serve(ready=lambda: write({"event": "registered"}))
        case _:
            sys.exit(__doc__)
    await asyncio.gather(*reports)


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
try:
    asyncio.run(main(sys.argv[1:]))
except WorkerRefused as refused:
    sys.exit(str(refused))
