#!/usr/bin/env python3
"""The libraries that are in the program, by what cargo resolves for this machine.

Usage: libraries.py list | licences
`list` prints name and version of each; `licences` what they are licensed by, with each text once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT")
RULE = "-" * 100


def libraries() -> list[dict]:
    """The packages below agi-bridge that are no tools of the build or the tests."""
    cargo = os.environ.get("CARGO", "cargo")
    told = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in told.splitlines() if line.startswith("host:"))
    command = [cargo, "metadata", "--format-version", "1", "--locked", "--filter-platform", host]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    packages = {each["id"]: each for each in metadata["packages"]}
    nodes = {each["id"]: each for each in metadata["resolve"]["nodes"]}
    program = next(each["id"] for each in metadata["packages"] if each["name"] == "agi-bridge")
    found, ahead = {program}, [program]
    while ahead:
        for dependency in nodes[ahead.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in target["kind"] for target in packages[dependency["pkg"]]["targets"])
            if is_linked and not is_macro and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                ahead.append(dependency["pkg"])
    found.remove(program)
    return sorted((packages[each] for each in found), key=lambda each: (each["name"], each["version"]))


def licences(found: list[dict]) -> str:
    """What must go with a copy of the program."""
    of_text: dict[str, list[str]] = {}
    lines = ["The libraries in agi-bridge, and their licences.", ""]
    for each in found:
        name = f"{each['name']} {each['version']}"
        lines.append(f"{name}: {each['license']}")
        folder = Path(each["manifest_path"]).parent
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name.upper().startswith(TEXTS):
                of_text.setdefault(path.read_text(errors="replace").strip(), []).append(name)
    for text, names in of_text.items():
        lines += ["", RULE, ", ".join(names), RULE, "", text]
    return "\n".join(lines)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["list"]:
            print("\n".join(f"{each['name']} {each['version']}" for each in libraries()))
        case ["licences"]:
            print(licences(libraries()))
        case _:
            sys.exit(__doc__)
