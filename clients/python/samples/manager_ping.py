"""Pings Asterisk once a second. Usage: manager_ping.py API TOKEN."""

import asyncio
import sys

from agibridge import Manager


async def main(api: str, token: str) -> None:
    """Pings for ever."""
    async with Manager(api, token=token) as manager:
        while True:
            reply = await manager.send_action("Ping")
            print(reply.headers.get("Ping"), reply.headers.get("Timestamp"), flush=True)
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
