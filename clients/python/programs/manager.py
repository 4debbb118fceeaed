"""Asks a bridge with the manager client by lines of JSON, for the tests that all client libraries have in common.

Usage: manager API [TOKEN]
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any, TypeAlias

from agibridge import (
    AgiBridgeError,
    Application,
    Destination,
    Dialplan,
    Lost,
    Manager,
    ManagerError,
    ManagerEvent,
    Missed,
    Route,
    ServerState,
    Subscription,
    Told,
)

JSON: TypeAlias = dict[str, Any]

subscriptions: dict[str, Subscription] = {}


def write(name: str, line: JSON) -> None:
    """Writes a line about a request."""
    print(json.dumps({"id": name, **line}), flush=True)


def seconds(text: str) -> float:
    """Gives a duration of ProtoJSON."""
    return float(text.removesuffix("s"))


def event(told: ManagerEvent) -> JSON:
    """Gives an event as ProtoJSON."""
    headers = [{"key": key, "value": value} for key, value in told.headers]
    return {"server": told.server, "name": told.name, "headers": headers, "receivedAt": told.received_at.isoformat()}


def state(told: ServerState) -> JSON:
    """Gives a link's state as ProtoJSON."""
    return {
        "server": told.server,
        "connected": told.connected,
        "asteriskVersion": told.asterisk_version,
        "detail": told.detail,
    }


def destination(asked: JSON) -> Destination:
    """Reads where an answered call goes."""
    if "dialplan" in asked:
        return Dialplan(**asked["dialplan"])
    if "application" in asked:
        return Application(asked["application"]["application"], asked["application"].get("data", ""))
    return Route(asked["route"])


async def originate(manager: Manager, asked: JSON) -> JSON:
    """Starts a call."""
    given: JSON = {}
    if "ringTimeout" in asked:
        given["ring_timeout"] = seconds(asked["ringTimeout"])
    call = await manager.originate(
        asked["channel"],
        destination(asked),
        server=asked.get("server", ""),
        caller_id_number=asked.get("callerIdNumber", ""),
        caller_id_name=asked.get("callerIdName", ""),
        variables=asked.get("variables"),
        account_code=asked.get("accountCode", ""),
        early_media=asked.get("earlyMedia", False),
        codecs=asked.get("codecs", ()),
        wait=asked.get("waitForOutcome", False),
        request_id=asked.get("requestId"),
        **given,
    )
    return {
        "outcome": f"OUTCOME_{call.outcome.name}",
        "channel": call.channel,
        "uniqueId": call.unique_id,
        "detail": call.detail,
        "requestId": call.request_id,
    }


async def send_action(manager: Manager, asked: JSON) -> JSON:
    """Sends an action."""
    headers = [(header["key"], header.get("value", "")) for header in asked.get("headers", [])]
    given = {"timeout": seconds(asked["timeout"])} if "timeout" in asked else {}
    reply = await manager.send_action(asked["action"], headers, server=asked.get("server", ""), **given)
    return {
        "success": reply.success,
        "message": reply.message,
        "headers": [{"key": key, "value": value} for key, value in reply.headers],
        "events": [event(one) for one in reply.events],
        "output": list(reply.output),
        "truncated": reply.truncated,
    }


def told(name: str, what: Told) -> None:
    """Writes what a subscription was told."""
    match what:
        case ManagerEvent():
            write(name, {"event": event(what)})
        case Missed():
            write(name, {"missed": what.count})
        case ServerState():
            write(name, {"serverState": state(what)})
        case Lost():
            write(name, {"lost": {"detail": what.detail}})


async def watch(manager: Manager, name: str, asked: JSON) -> None:
    """Subscribes, until it is closed."""
    subscription = manager.subscribe(
        partial(told, name), asked.get("names", "*"), match=asked.get("match"), server=asked.get("server", "")
    )
    subscriptions[name] = subscription
    await subscription.wait()


async def ask(manager: Manager, line: JSON) -> None:
    """Does what a line asks for."""
    name = line["id"]
    try:
        match line:
            case {"originate": asked}:
                write(name, {"originate": await originate(manager, asked)})
            case {"sendAction": asked}:
                write(name, {"sendAction": await send_action(manager, asked)})
            case {"listServers": _}:
                write(name, {"listServers": {"servers": [state(one) for one in await manager.list_servers()]}})
            case {"watchEvents": asked}:
                await watch(manager, name, asked)
            case {"cancel": _}:
                await subscriptions.pop(name).close()
                write(name, {"cancelled": {}})
    except AgiBridgeError as error:
        code = error.code.name if isinstance(error, ManagerError) else "MISUSE"
        write(name, {"error": {"code": code, "message": str(error)}})


async def main(api: str, token: str | None = None) -> None:
    """Reads lines until there are no more."""
    running: set[asyncio.Task[None]] = set()
    async with Manager(api, token=token) as manager:
        while line := await asyncio.to_thread(sys.stdin.readline):
            task = asyncio.create_task(ask(manager, json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        for subscription in list(subscriptions.values()):
            await subscription.close()
        await asyncio.gather(*running)


asyncio.run(main(*sys.argv[1:]))
