"""Serves FastAGI with pystrix: the same five commands without the bridge. Usage: bench-direct ADDRESS."""

from __future__ import annotations

import re
import signal
import sys
from typing import Any

from pystrix import agi
from pystrix.agi import core


class Noop(core._Action):
    """NOOP with a text, which that of pystrix does not take."""

    def __init__(self, text: str) -> None:
        """Makes the command."""
        super().__init__("NOOP", core.quote(text))


def handle(call: Any, _args: Any, _kwargs: Any, _match: Any, _path: str) -> None:
    """Drives one call."""
    call.execute(core.SetVariable("CALLED_BY", "bench"))
    call.execute(core.Verbose("a line for the log", 1))
    call.execute(Noop("nothing at all"))
    call.execute(core.SetVariable("MENU", "main,1"))
    call.execute(Noop("and again nothing"))


def leave(_signal: int, _frame: object) -> None:
    """Ends at once, threads and all."""
    raise SystemExit(0)


host, _, port = sys.argv[1].rpartition(":")
server = agi.FastAGIServer(interface=host, port=int(port), daemon_threads=True)
server.register_script_handler(re.compile(""), handle)
signal.signal(signal.SIGTERM, leave)
print(f"listening on {host}:{server.server_address[1]}", flush=True)
server.serve_forever()
