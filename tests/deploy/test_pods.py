"""A whole call in pods: the phone calls a bridge in one, which finds a Python service in another by its name.

The bridge's pod is the chart's, as far as podman knows it: Kubernetes itself looks after probes.
"""

from collections.abc import Iterator
from pathlib import Path

import chart
import pytest
import yaml
from chart import PROGRAM, Object, one
from podman import BRIDGE, PYTHON, SETTINGS, Pods
from sandbox import Sandbox, until

HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
CONTAINER = "agi-bridge-agi-bridge"


def pod(name: str, image: str, **more: object) -> Object:
    container = {"name": name, "image": image, "imagePullPolicy": "Never", "securityContext": HARDENED, **more}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def bridge(folder: Path) -> list[Object]:
    """The chart's pod, with a route to the service `ivr`."""
    values = folder / "values.yaml"
    name, tag = BRIDGE.split(":")
    routes = [{"name": "hello", "path": "/hello", "services": [{"url": "grpc://ivr:50051"}]}]
    values.write_text(yaml.safe_dump({"image": {"repository": name, "tag": tag}, "config": {"routes": routes}}))
    made = chart.objects(chart.template(values))
    spec = one(made, "Deployment")["spec"]["template"]["spec"]
    spec["containers"][0]["imagePullPolicy"] = "Never"
    spec["restartPolicy"] = "Never"  # so that its end can be seen
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        del spec["containers"][0][probe]  # podman asks from inside, by curl
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agi-bridge"}, "spec": spec}
    return [one(made, "ConfigMap"), pod]


class Stand:
    """A bridge and a service, each in a pod."""

    def __init__(self, sandbox: Sandbox, pods: Pods, folder: Path) -> None:
        self.sandbox, self.pods = sandbox, pods
        pods.play(pod("ivr", PYTHON, args=["0.0.0.0:50051"]))
        pods.wait_for("ivr-ivr", "listening")
        pods.play(*bridge(folder))
        pods.wait_for(CONTAINER, '"listening"')
        self.host = pods.address("agi-bridge")

    def phone(self, *arguments: str) -> str:
        return self.sandbox.run(PROGRAM, "call", f"agi://{self.host}/hello", "--speed", "20", *arguments).stdout


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("pods")
    with Sandbox(SETTINGS) as sandbox, Pods(sandbox, folder) as pods:
        yield Stand(sandbox, pods, folder)


def test_a_whole_call_passes_through_two_pods(stand: Stand) -> None:
    told = stand.phone("--caller-id", "Alice <3200>")
    for line in ("ANSWER", "STREAM FILE", "hello-world", "SAY DIGITS", "3200", "AGISTATUS SUCCESS"):
        assert line in told, told
    ended = '"event":"agibridge.call.ended"'
    until("the end of the call", lambda: ended in stand.pods.logs(CONTAINER))
    line = next(line for line in stand.pods.logs(CONTAINER).splitlines() if ended in line)
    assert '"reason":"service"' in line, line
    assert ":50051" in line, "it was the service that was found by its name"


def test_the_bridge_has_no_rights(stand: Stand) -> None:
    status = dict(line.split(":\t", 1) for line in stand.pods.proc(CONTAINER, "status").splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65532"] * 4
    assert status["Gid"].split() == ["65532"] * 4
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "a filter"


def test_the_bridge_can_write_nowhere(stand: Stand) -> None:
    mounts = [line.split() for line in stand.pods.proc(CONTAINER, "mountinfo").splitlines()]
    options = {fields[4]: fields[5].split(",") for fields in mounts}
    assert "ro" in options["/"]
    assert "ro" in options["/etc/agi-bridge"]
    own = {
        "/dev",
        "/dev/shm",
        "/dev/mqueue",
        "/dev/pts",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/proc",
        "/run/.containerenv",
    }
    writable = {path for path, words in options.items() if "rw" in words and not path.startswith(("/proc/", "/sys/"))}
    assert writable <= own, "what the runtime mounts, and nothing else"


def test_there_is_no_shell(stand: Stand) -> None:
    stand.sandbox.run("podman", "exec", CONTAINER, "/bin/sh", "-c", "true", fails=True)
    told = stand.sandbox.run("podman", "exec", CONTAINER, "/agi-bridge", "calls").stdout
    assert told, "but the program itself is there to ask"


def test_another_pod_asks_the_admin_port_as_helm_test_does(stand: Stand) -> None:
    stand.pods.play(pod("asks", BRIDGE, args=["calls", "--admin", "http://agi-bridge:4574"]))
    until("the answer", lambda: stand.pods.inspect("asks-asks")["State"]["Status"] == "exited")
    assert stand.pods.inspect("asks-asks")["State"]["ExitCode"] == 0, stand.pods.logs("asks-asks")


def test_a_name_in_etc_hosts_is_found_without_a_name_server(stand: Stand) -> None:
    nowhere = pod("hosts", BRIDGE, args=["call", "agi://asterisks-friend/hello", "--speed", "20"])
    nowhere["spec"]["hostAliases"] = [{"ip": stand.host, "hostnames": ["asterisks-friend"]}]
    stand.pods.play(nowhere)
    until("the call", lambda: stand.pods.inspect("hosts-hosts")["State"]["Status"] == "exited")
    assert stand.pods.inspect("hosts-hosts")["State"]["ExitCode"] == 0, stand.pods.logs("hosts-hosts")
    assert "AGISTATUS SUCCESS" in stand.pods.logs("hosts-hosts")


def test_sigterm_ends_an_idle_bridge_well(stand: Stand) -> None:
    stand.sandbox.run("podman", "kill", "--signal", "TERM", CONTAINER)
    until(
        "the end",
        lambda: stand.pods.inspect(CONTAINER)["State"]["Status"] == "exited",
        lambda: stand.pods.logs(CONTAINER),
    )
    assert stand.pods.inspect(CONTAINER)["State"]["ExitCode"] == 0, stand.pods.logs(CONTAINER)
