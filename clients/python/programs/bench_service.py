"""Serves gRPC with the library, for `make bench`: five commands a call. Usage: bench-service ADDRESS."""

from __future__ import annotations

import sys

from agibridge import Call, Server


async def handle(call: Call) -> None:
    """Drives one call."""
    await call.set_variable("CALLED_BY", "bench")
    await call.verbose("a line for the log", 1)
    await call.noop("nothing at all")
    await call.set_variable("MENU", "main,1")
    await call.noop("and again nothing")


server = Server(handle, listen=sys.argv[1])
server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
