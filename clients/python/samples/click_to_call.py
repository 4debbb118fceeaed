"""Rings a phone, then dials a number for it. Usage: click_to_call.py API TOKEN CALLER CONTEXT NUMBER."""

import asyncio
import sys

from agibridge import Dialplan, Manager


async def main(api: str, token: str, caller: str, context: str, number: str) -> None:
    """Says what became of it, as ANSWERED or BUSY."""
    async with Manager(api, token=token) as manager:
        call = await manager.originate(caller, Dialplan(context, number), caller_id_number=number)
        print(call.outcome.name, call.detail)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
