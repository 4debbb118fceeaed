"""play, ask, menu and confirm, as the commands that they are made of."""

from __future__ import annotations

import pytest

from agibridge import Call, Digits, HungUp, NoInput
from agibridge.testing import FakeCall


async def test_play_stops_at_the_first_digit() -> None:
    async def handle(call: Call) -> None:
        assert await call.play(["a", "b", "c"], "12") == "2"
        assert await call.play("d") is None

    fake = FakeCall().on("stream_file", None, "2", None)
    await fake.run(handle)
    assert [sent.arguments["file"] for sent in fake.commands] == ["a", "b", "d"]
    assert fake.commands[0].arguments["escape_digits"] == "12"


async def test_ask_tries_again_until_the_digits_will_do() -> None:
    async def handle(call: Call) -> None:
        answer = await call.ask("pin", 4, validate=lambda digits: digits == "1234", invalid="wrong")
        assert answer == "1234"

    fake = FakeCall().on("get_data", Digits("", timed_out=True), "99", "1234")
    await fake.run(handle)
    assert fake.names == ["get_data", "get_data", "stream_file", "get_data"]
    asked = fake.commands[0].arguments
    assert (asked["file"], asked["max_digits"], asked["timeout"].seconds) == ("pin", 4, 5)
    assert fake.commands[2].arguments == {"file": "wrong"}


async def test_ask_takes_an_async_validator() -> None:
    async def known(digits: str) -> bool:
        return digits == "2"

    async def handle(call: Call) -> None:
        assert await call.ask("x", validate=known) == "2"

    await FakeCall().on("get_data", "1", "2").run(handle)


async def test_ask_gives_up_after_the_last_try() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(NoInput, match="in 2 tries"):
            await call.ask("pin", tries=2, validate=lambda _: False, invalid="wrong")

    fake = FakeCall().on("get_data", "1")
    await fake.run(handle)
    assert fake.names == ["get_data", "stream_file"] * 2


async def test_menu_gives_what_stands_for_the_digit() -> None:
    async def handle(call: Call) -> None:
        assert await call.menu("main", {"1": "sales", "2": "support"}, timeout=3, invalid="wrong") == "support"

    fake = FakeCall().on("get_option", None, "9", "2")
    await fake.run(handle)
    assert fake.names == ["get_option", "get_option", "stream_file", "get_option"]
    asked = fake.commands[0].arguments
    assert (asked["file"], asked["escape_digits"], asked["timeout"].seconds) == ("main", "0123456789*#", 3)


async def test_menu_gives_up_after_the_last_try() -> None:
    async def handle(call: Call) -> None:
        with pytest.raises(NoInput):
            await call.menu("main", {"1": 1})

    fake = FakeCall()
    await fake.run(handle)
    assert fake.names == ["get_option"] * 3


@pytest.mark.parametrize(("digit", "wanted"), [("1", True), ("2", False)])
async def test_confirm_is_a_menu_of_two(digit: str, wanted: bool) -> None:
    async def handle(call: Call) -> None:
        assert await call.confirm("sure") is wanted

    await FakeCall().on("get_option", digit).run(handle)


async def test_a_hangup_ends_the_asking() -> None:
    async def handle(call: Call) -> None:
        await call.ask("pin")

    fake = FakeCall().hang_up_at("get_data", 2)
    await fake.run(handle)
    assert isinstance(fake.error, HungUp)
    assert fake.names == ["get_data", "get_data"]
