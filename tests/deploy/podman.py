"""Pods by podman, in a sandbox. Knows the images that images.sh made; nothing of calls."""

import json
from pathlib import Path

import yaml
from chart import LAB, Object
from sandbox import Sandbox, until

BRIDGE = "localhost/agi-bridge:test"
PYTHON = "localhost/agi-bridge-python:latest"
SETTINGS = {
    "CONTAINERS_STORAGE_CONF": str(LAB / "pods/storage.conf"),
    "CONTAINERS_CONF": str(LAB / "pods/containers.conf"),
}


class Pods:
    """Everything that was played, until the `with` block ends."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._played: list[str] = []

    def __enter__(self) -> "Pods":
        # What a test that was cut off has left in the storage.
        self._sandbox.run("podman", "pod", "rm", "--all", "--force", "--time", "0")
        return self

    def __exit__(self, *_: object) -> None:
        for pod in self._played:
            self._sandbox.run("podman", "pod", "rm", "--force", "--time", "0", "--ignore", pod)

    def play(self, *objects: Object) -> None:
        """Runs a pod as Kubernetes would, as far as podman can."""
        # podman looks for a folder with the image's name, and would build what is in there.
        here = self._folder / f"play-{len(self._played)}"
        here.mkdir()
        (here / "pod.yaml").write_text(yaml.safe_dump_all(objects))
        self._played += [each["metadata"]["name"] for each in objects if each["kind"] == "Pod"]
        self._sandbox.run("podman", "play", "kube", here / "pod.yaml")

    def logs(self, container: str) -> str:
        """What a container has written so far."""
        done = self._sandbox.run("podman", "logs", container)
        return done.stdout + done.stderr

    def wait_for(self, container: str, text: str) -> None:
        """Waits until a container has written something."""
        until(f"{text!r} of {container}", lambda: text in self.logs(container), lambda: self.logs(container))

    def inspect(self, container: str) -> Object:
        """What podman knows of a container."""
        return json.loads(self._sandbox.run("podman", "inspect", container).stdout)[0]

    def proc(self, container: str, name: str) -> str:
        """A file of the container's first process, below /proc/PID."""
        pid = self.inspect(container)["State"]["Pid"]
        return self._sandbox.run("cat", f"/proc/{pid}/{name}").stdout

    def address(self, pod: str) -> str:
        """Where a pod is."""
        infra = json.loads(self._sandbox.run("podman", "pod", "inspect", pod).stdout)["InfraContainerID"]
        networks = self.inspect(infra)["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]
