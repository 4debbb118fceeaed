"""Reads an appointment and takes a 1 for yes, on the route /reminder?appointment=ID&at=SECONDS_SINCE_1970."""

import sys
from datetime import datetime, timezone

from agibridge import Call, Server


async def handle(call: Call) -> None:
    answer = "not confirmed"
    at = datetime.fromtimestamp(int(call.query("at")), timezone.utc)
    for _ in range(3):
        await call.stream_file("reminder-appointment")  # "You have an appointment:"
        await call.say_date_time(at)
        pressed = await call.get_data("reminder-confirm", timeout=4, max_digits=1)  # "Press 1 if you come."
        if pressed.digits == "1":
            answer = "confirmed"
            break
    # Here it goes to your own records.
    print(f"appointment {call.query('appointment')}: {answer}", flush=True)


if __name__ == "__main__":
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
