"""A network, process and mount namespace in which a test starts servers on fixed ports.

Nobody else's are there, nothing gets out, and when it ends, all that was started in it ends.
Knows nothing of what runs inside.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LIMIT = 120
"""Seconds within which each command and each wait must be done; none is expected to come near."""
POLL = 0.05

_BEGIN = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec catatonit -P"


class Sandbox:
    """Ends with the `with` block, or with this process."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AGIBRIDGE_")}
        self.environment = {**inherited, "PATH": path, **(environment or {})}
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Sandbox":
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc"]
        command += ["--kill-child=KILL", "sh", "-c", _BEGIN]
        self._init = subprocess.Popen(command, stdout=subprocess.PIPE, env=self.environment)
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == b"ready\n", (
            "namespaces cannot be made here: a container needs CAP_SYS_ADMIN"
        )
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        self.enter = ["nsenter", "--target", children[0], "--mount", "--net", "--pid"]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        self._init.kill()
        self._init.wait()

    def start(self, *command: str | Path, log: Path) -> subprocess.Popen[bytes]:
        """Starts a program that ends with the sandbox."""
        with log.open("wb") as out:
            process = subprocess.Popen([*self.enter, *map(str, command)], stdout=out, stderr=out, env=self.environment)
        self._started.append(process)
        return process

    def run(
        self, *command: str | Path, fails: bool = False, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, which must be a good one unless it `fails`."""
        done = run([*self.enter, *map(str, command)], env=self.environment, stdin=stdin)
        told = f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert (done.returncode != 0) == fails, told
        return done


def run(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, whichever that is."""
    arguments = [str(word) for word in command]
    feed = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT, env=env, check=False, **feed)


def until(what: str, look: Callable[[], object], why: Callable[[], str] = str) -> None:
    """Waits until `look` gives something true."""
    deadline = time.monotonic() + LIMIT
    while not look():
        assert time.monotonic() < deadline, f"waited in vain for {what}\n{why()}"
        time.sleep(POLL)
