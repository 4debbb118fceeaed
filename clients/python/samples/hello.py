"""Answers, says hello, and says the caller's number."""

import sys

from agibridge import Call, Server


async def handle(call: Call) -> None:
    """Drives one call."""
    await call.answer()
    await call.stream_file("hello-world")
    if call.channel.caller_id_number:
        await call.say_digits(call.channel.caller_id_number)


if __name__ == "__main__":
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
