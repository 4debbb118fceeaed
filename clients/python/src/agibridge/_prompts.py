"""What IVRs write again and again, made of commands: play, ask, menu, confirm."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from ._commands import Commands
from .errors import NoInput
from .types import Duration

C = TypeVar("C")

_ALL_DIGITS = "0123456789*#"


class Prompts(Commands):
    """The helpers of a call. All raise what commands raise."""

    __slots__ = ()

    async def play(self, files: str | Iterable[str], escape_digits: str = "") -> str | None:
        """Plays sound files one after the other, until a digit of ``escape_digits`` is pressed.

        Gives that digit, or None when all were played.
        """
        for file in (files,) if isinstance(files, str) else files:
            digit = (await self.stream_file(file, escape_digits)).digit
            if digit is not None:
                return digit
        return None

    async def ask(
        self,
        prompt: str,
        max_digits: int = 0,
        *,
        timeout: Duration = 5,
        tries: int = 3,
        validate: Callable[[str], bool | Awaitable[bool]] | None = None,
        invalid: str | None = None,
    ) -> str:
        """Asks for digits up to ``tries`` times, and gives them once there are some and ``validate`` accepts them.

        ``max_digits``: 0: as many as come before ``#`` or the timeout. ``timeout``: for each digit, from the prompt's
        end. ``validate`` may be async. ``invalid`` is played after digits that it does not accept. NoInput after the
        last try.
        """
        for _ in range(tries):
            digits = (await self.get_data(prompt, timeout=timeout, max_digits=max_digits)).digits
            if not digits:
                continue
            accepted = True if validate is None else validate(digits)
            if inspect.isawaitable(accepted):
                accepted = await accepted
            if accepted:
                return digits
            if invalid is not None:
                await self.stream_file(invalid)
        raise NoInput(
            f"the caller entered nothing that would do at {prompt!r}, in {tries} tries: catch NoInput to go on"
        )

    async def menu(
        self,
        prompt: str,
        choices: Mapping[str, C],
        *,
        timeout: Duration = 5,
        tries: int = 3,
        invalid: str | None = None,
    ) -> C:
        """Plays a prompt that any digit stops, up to ``tries`` times, and gives what ``choices`` has for the digit.

        ``timeout``: from the prompt's end. ``invalid`` is played after a digit that ``choices`` lacks.
        NoInput after the last try.
        """
        for _ in range(tries):
            digit = (await self.get_option(prompt, _ALL_DIGITS, timeout=timeout)).digit
            if digit is None:
                continue
            if digit in choices:
                return choices[digit]
            if invalid is not None:
                await self.stream_file(invalid)
        raise NoInput(f"the caller chose nothing at {prompt!r}, in {tries} tries: catch NoInput to go on")

    async def confirm(
        self,
        prompt: str,
        *,
        yes: str = "1",
        no: str = "2",
        timeout: Duration = 5,
        tries: int = 3,
        invalid: str | None = None,
    ) -> bool:
        """Asks for yes or no by a digit: a menu of two. NoInput after the last try."""
        return await self.menu(prompt, {yes: True, no: False}, timeout=timeout, tries=tries, invalid=invalid)
