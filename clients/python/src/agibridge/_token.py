"""The token that a worker shows: always the same, or one that a function gives each time. It knows no bridge."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Token: TypeAlias = "str | Callable[[], str] | None"


class NoToken(Exception):
    """The function gave none."""


def token_file(path: str | os.PathLike[str]) -> Callable[[], str]:
    """Gives what reads a file each time: ``Worker(…, token=token_file("/var/run/secrets/agi-bridge/token"))``.

    For a token that is written anew before it expires, as Kubernetes' projected service account tokens are. Space
    around it is left out.
    """
    return lambda: Path(path).read_text().strip()


def shown(token: Token) -> str | None:
    """Gives the token to show now."""
    if not callable(token):
        return token
    try:
        given: object = token()
    except Exception as error:
        raise NoToken(str(error) or type(error).__name__) from error
    if not isinstance(given, str):
        raise NoToken(f"its function gave {type(given).__name__}, and not str")
    if not given:
        raise NoToken("it is empty")
    if not given.isascii() or not given.isprintable():
        raise NoToken("the token has characters that no header can have")
    return given
