"""Asks for a PIN, then records a message that the caller may hear, keep, or record again."""

import sys

from agibridge import Call, HungUp, NoInput, Server


async def handle(call: Call) -> None:
    """Drives one call."""
    await call.answer()
    pin = call.query("pin", "1234")
    try:
        await call.ask("vm-password", 4, tries=3, validate=lambda digits: digits == pin, invalid="vm-incorrect")
    except NoInput:
        await call.stream_file("vm-goodbye")
        await call.end(hang_up=True)
        return

    file = f"/tmp/recorder-{call.channel.unique_id}"
    recorded = False
    try:
        choice = "again"
        while choice == "again":
            await call.record_file(file, "wav", "#", timeout=60, beep=True, silence=5)
            recorded = True
            choice = "play"
            while choice == "play":
                choice = await call.menu("vm-review", {"1": "keep", "2": "play", "3": "again"})
                if choice == "play":
                    await call.stream_file(file, "123")
        await call.stream_file("auth-thankyou")
    except HungUp:
        if recorded:
            await call.set_variable("RECORDED", file)  # that still works after the hangup
        raise
    except NoInput:
        await call.set_variable("RECORDED", file)
    else:
        await call.end({"RECORDED": file})


if __name__ == "__main__":
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
