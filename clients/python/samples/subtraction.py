"""A game: three sums to be done in one's head. The score is left in the channel variable SCORE."""

import random
import sys

from agibridge import Call, NoInput, Server


async def handle(call: Call) -> None:
    """Drives one call."""
    await call.answer()
    sums = chosen(call.query("ask")) or [by_chance() for _ in range(3)]
    right = 0
    for a, b in sums:
        await call.say_number(a)
        await call.stream_file("digits/minus")
        await call.say_number(b)
        try:
            answer = await call.ask("beep", 2, timeout=5, tries=2, validate=str.isdecimal)
        except NoInput:
            answer = ""
        if answer and int(answer) == a - b:
            right += 1
            await call.stream_file("auth-thankyou")
        else:
            await call.stream_file("auth-incorrect")
    await call.stream_file("vm-goodbye")
    await call.end({"SCORE": f"{right}/{len(sums)}"})


def by_chance() -> tuple[int, int]:
    """Makes a sum whose difference is not negative."""
    a = random.randint(5, 20)
    return a, random.randint(1, a)


def chosen(query: str) -> list[tuple[int, int]]:
    """Reads the sums of a query, as 9-4,7-2."""
    sums = (one.partition("-") for one in query.split(",") if one)
    return [(int(a), int(b)) for a, _, b in sums]


if __name__ == "__main__":
    server = Server(handle, listen=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
    server.run(ready=lambda: print(f"listening on {server.address}", flush=True))
