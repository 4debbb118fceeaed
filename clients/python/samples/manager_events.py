"""Writes every event of Asterisk. Usage: manager_events.py API TOKEN."""

import asyncio
import sys
from functools import partial

from agibridge import Manager


async def main(api: str, token: str) -> None:
    """Listens for ever; it comes back by itself when the bridge was restarted."""
    async with Manager(api, token=token) as manager:
        await manager.subscribe(partial(print, flush=True)).wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
