"""What the README shows to copy is Python in order, and uses what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import agibridge
import agibridge.testing
import recorder
from agibridge import Call

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_block_of_python_parses() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) > 8
    for block in blocks:
        text = block.replace("    …\n", "").replace("…", "x")
        ast.parse(text if "await" not in text or "async def" in text else f"async def f():\n{indent(text)}")


def test_every_method_of_a_call_that_it_names_is_there() -> None:
    names = set(re.findall(r"\bcall\.([a-z_]+)", README))
    assert len(names) > 20
    assert not [name for name in names if not hasattr(Call, name)]


def test_every_name_that_it_imports_is_there() -> None:
    for module, names in re.findall(r"from (agibridge[a-z.]*) import (.*)", README):
        where = agibridge.testing if module.endswith("testing") else agibridge
        assert not [name for name in names.split(", ") if not hasattr(where, name)]


async def test_what_it_says_of_testing_is_true_of_the_recorder() -> None:
    block = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "FakeCall" in block)
    names: dict[str, Any] = {"handle": recorder.handle}
    exec(block, names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        await test()


def indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
