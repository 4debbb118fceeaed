"""The compose lab without Docker: its files, as they are, by the same programs, on one machine that has their names.

What no engine has run are the images and what compose itself does: docker builds none of them here.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from chart import LAB, PROGRAM, ROOT, Object
from sandbox import Sandbox, run, until

COMPOSE = ROOT / "deploy/compose"
MAKE = ["make", "-s", "-p", "--no-print-directory", "-C", ROOT / "clients/python", "help"]
CLIENTS = Path(run(MAKE).stdout.split("\nCACHE := ")[1].splitlines()[0])
ADDRESS = "10.77.0.1"
"""Of the private ranges that this bridge lets in."""
NAMES = ["asterisk", "agi-bridge", "pin", "sums", "collector", "jaeger"]
PREPARE = f"""
ip addr add {ADDRESS}/32 dev lo
mkdir -p /run/lab/above /run/lab/work /run/debian
mount -t overlay overlay -o lowerdir={LAB}/root,upperdir=/run/lab/above,workdir=/run/lab/work /run/debian
mount -t proc proc /run/debian/proc
mount -t tmpfs tmpfs /run/debian/run
echo '127.0.0.1 localhost\n{ADDRESS} {" ".join(NAMES)}' >/run/hosts
cp /run/hosts /run/debian/etc/hosts
mount --bind /run/hosts /etc/hosts
chroot /run/debian install -d -o asterisk -g asterisk /run/asterisk
"""


@pytest.fixture(scope="module")
def compose() -> Object:
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


def mounts(service: Object) -> list[tuple[Path, str]]:
    """What a service has of this tree, and where."""
    parts = [each.split(":") for each in service.get("volumes", [])]
    return [((COMPOSE / source).resolve(), target) for source, target, _ in parts]


class Lab:
    """Everything of compose.yaml that runs here."""

    def __init__(self, sandbox: Sandbox, compose: Object, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        sandbox.run("sh", "-ec", PREPARE)
        services = compose["services"]
        self._collector()
        self._start("bridge", PROGRAM, "serve", "--config", COMPOSE / "bridge/bridge.yaml")
        traced = (CLIENTS / "bin/traced").read_text()
        site, python = re.search(r"PYTHONPATH=(\S+) exec (\S+)", traced).groups()
        self._service("pin", services["pin"], f"PYTHONPATH={site}", python, "-u", COMPOSE / "pin/service.py")
        self._service("sums", services["sums"], "A=", "node", LAB / "compose/sums/service.mjs")
        for name, port in (("bridge", 4574), ("pin", 50051), ("sums", 8080), ("collector", 4317)):
            self._wait(name, port)
        for source, target in mounts(services["asterisk"]):
            sandbox.run("cp", source, f"/run/debian{target}")
        self._start("asterisk", "chroot", "/run/debian", *services_command())
        up = ["chroot", "/run/debian", "asterisk", "-rx", "core waitfullybooted"]
        until("Asterisk", lambda: run([*sandbox.enter, *up]).returncode == 0, lambda: self.log("asterisk"))

    def _start(self, name: str, *command: str | Path) -> None:
        self.sandbox.start(*command, log=self.folder / name)

    def _service(self, name: str, service: Object, *command: str | Path) -> None:
        # Spans leave at once, so that no test waits for them.
        told = [f"{key}={value}" for key, value in service["environment"].items() if key != "<<"]
        self._start(name, "env", "OTEL_BSP_SCHEDULE_DELAY=100", *told, *command)

    def _collector(self) -> None:
        """The lab's own has OTLP in and a file out: what sends to Jaeger is the file."""
        told = yaml.safe_load((COMPOSE / "collector/collector.yaml").read_text())
        told["exporters"] = {"file": {"path": str(self.folder / "spans"), "flush_interval": "100ms"}}
        for pipeline in told["service"]["pipelines"].values():
            pipeline["exporters"] = ["file"]
        told["service"]["telemetry"] = {"metrics": {"level": "none"}}
        file = self.folder / "collector.yaml"
        file.write_text(yaml.safe_dump(told))
        self.sandbox.run(LAB / "collector/collector", "validate", "--config", file)
        self._start("collector", LAB / "collector/collector", "--config", file)

    def _wait(self, name: str, port: int) -> None:
        probe = ["bash", "-c", f"exec 3<>/dev/tcp/{ADDRESS}/{port}"]
        until(name, lambda: run([*self.sandbox.enter, *probe]).returncode == 0, lambda: self.log(name))

    def log(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")

    def console(self, command: str) -> str:
        return self.sandbox.run("chroot", "/run/debian", "asterisk", "-rx", command).stdout

    def phone(self, path: str, *arguments: str, fails: bool = False) -> str:
        call = [PROGRAM, "call", f"agi://agi-bridge/{path}", "--speed", "20", *arguments]
        return self.sandbox.run(*call, fails=fails).stdout


def services_command() -> list[str]:
    """What the image of Asterisk runs."""
    text = (COMPOSE / "asterisk/Dockerfile").read_text()
    return json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1])


@pytest.fixture(scope="module")
def lab(compose: Object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Sandbox() as sandbox:
        yield Lab(sandbox, compose, tmp_path_factory.mktemp("lab"))


def test_the_file_is_as_the_specification_has_it(compose: Object) -> None:
    schema = json.loads(next((LAB / "compose").glob("compose-spec-*.json")).read_text())
    jsonschema.validate(compose, schema)


def test_all_that_it_mounts_and_builds_is_there(compose: Object) -> None:
    for name, service in compose["services"].items():
        for source, _ in mounts(service):
            assert source.exists(), f"{name}: {source}"
        if build := service.get("build"):
            context = COMPOSE / (build if isinstance(build, str) else build["context"])
            dockerfile = context / ("Dockerfile" if isinstance(build, str) else build["dockerfile"])
            for copied in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile.read_text(), re.MULTILINE):
                for each in copied.split():
                    assert (context.resolve() / each).exists(), f"{dockerfile}: {each}"


def test_nothing_but_sip_and_sound_is_open_to_the_network(compose: Object) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    open_to_all = [port for port in ports if not port.startswith("127.0.0.1:")]
    assert open_to_all == ["5060:5060/udp", "10000-10019:10000-10019/udp"]


def test_the_bridge_is_left_the_time_to_drain(compose: Object) -> None:
    bridge = yaml.safe_load((COMPOSE / "bridge/bridge.yaml").read_text())
    seconds = [int(text.rstrip("s")) for text in (bridge["shutdown"]["drain_timeout"], "15s")]
    assert int(compose["services"]["agi-bridge"]["stop_grace_period"].rstrip("s")) >= sum(seconds)


def test_prometheus_takes_its_configuration(compose: Object, tmp_path: Path) -> None:
    text = (COMPOSE / "prometheus/prometheus.yaml").read_text()
    for source, target in mounts(compose["services"]["prometheus"]):
        text = text.replace(f"{target}/", f"{source}/")
    file = tmp_path / "prometheus.yaml"
    file.write_text(text)
    done = run(["promtool", "check", "config", file])
    assert done.returncode == 0, done.stderr
    assert re.search(r"[1-9]\d* rules found", done.stdout), done.stdout


def test_grafana_finds_the_dashboard_and_its_data(compose: Object) -> None:
    folder = COMPOSE / "grafana/provisioning"
    [provider] = yaml.safe_load((folder / "dashboards/lab.yaml").read_text())["providers"]
    targets = {target: source for source, target in mounts(compose["services"]["grafana"])}
    assert list(targets[provider["options"]["path"]].glob("*.json"))
    sources = yaml.safe_load((folder / "datasources/lab.yaml").read_text())["datasources"]
    for each in sources:
        host = re.fullmatch(r"http://([a-z-]+):\d+", each["url"])[1]
        assert host in compose["services"], host
    linked = sources[0]["jsonData"]["exemplarTraceIdDestinations"][0]["datasourceUid"]
    assert linked in [each["uid"] for each in sources]


def test_the_services_answer_a_simulated_phone(lab: Lab) -> None:
    assert re.search(r'SET VARIABLE "?PIN_OK"? "?1"?', lab.phone("pin", "--digits", "1234"))
    assert re.search(r'SET VARIABLE "?SCORE"? "?0"?', lab.phone("sums"))
    assert "AGIBRIDGE_STATUS=UNAVAILABLE" in lab.phone("nobody", fails=True)


def test_asterisk_takes_its_dialplan_and_phones(lab: Lab) -> None:
    assert "[ Context 'phones' created by 'pbx_config' ]" in lab.console("dialplan show phones")
    endpoints = lab.console("pjsip show endpoints")
    assert re.search(r"Endpoint:\s+3200/3200", endpoints), endpoints
    assert re.search(r"InAuth:\s+3201/3201", endpoints), endpoints
    assert "0.0.0.0:5060" in lab.console("pjsip show transports")


def test_asterisk_calls_itself_and_the_collector_has_the_spans_of_all(lab: Lab) -> None:
    lab.phone("sums")
    lab.console("channel originate Local/100@phones application Wait 30")
    ended = [PROGRAM, "calls", "--ended", "--admin", f"http://{ADDRESS}:4574", "--token", "lab"]
    until("the call's end", lambda: "Local/100@phones" in lab.sandbox.run(*ended).stdout, lambda: lab.log("asterisk"))

    def services() -> set[str]:
        lines = (lab.folder / "spans").read_text().splitlines() if (lab.folder / "spans").exists() else []
        groups = [group for line in lines for group in json.loads(line).get("resourceSpans", [])]
        return {
            attribute["value"]["stringValue"]
            for group in groups
            for attribute in group["resource"]["attributes"]
            if attribute["key"] == "service.name"
        }

    until("spans of all three", lambda: {"agibridge", "pin", "sums"} <= services(), lambda: str(services()))


def test_the_sounds_are_there() -> None:
    voice = next((LAB / "root/usr/share/asterisk/sounds").glob("en_US_*"))
    texts = [(COMPOSE / name).read_text() for name in ("pin/service.py", "sums/service.mts")]
    played = re.findall(r'"((?:vm|auth|digits)[-/][a-z-]+)"', "".join(texts))
    played += re.findall(r"Playback\((.*)\)", (COMPOSE / "asterisk/extensions.conf").read_text())
    played.append(re.search(r"announce: (\S+),", (COMPOSE / "bridge/bridge.yaml").read_text())[1])
    assert len(played) >= 8
    assert [name for name in played if not (voice / f"{name}.gsm").exists()] == []
