"""The chart and the base, without a cluster: what is made of them is in order, says what it should, and agrees."""

import json
import re
from pathlib import Path

import chart
import kubernetes_validate
import pytest
import yaml
from chart import CHART, PROGRAM, TOOLS, VALUES, one
from sandbox import run

MINIMAL = CHART / "ci/minimal-values.yaml"
FULL = CHART / "ci/full-values.yaml"
KUBERNETES = "1.37"
OPERATORS = ("ServiceMonitor", "PrometheusRule")

each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def test_there_are_values_to_try() -> None:
    assert len(VALUES) >= 5


@each_values
def test_helm_finds_no_fault(values: Path) -> None:
    done = run([TOOLS / "helm", "lint", "--strict", CHART, "--values", values])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 chart(s) failed" in done.stdout


@each_values
def test_objects_fit_their_schemas(values: Path) -> None:
    rendered = chart.objects(chart.template(values))
    assert len(rendered) >= 4
    for each in rendered:
        if each["kind"] not in OPERATORS:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_an_object_that_fits_no_schema_is_found() -> None:
    deployment = one(chart.objects(chart.template(MINIMAL)), "Deployment")
    deployment["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES, strict=True)


@each_values
def test_the_bridge_takes_its_configuration(values: Path, tmp_path: Path) -> None:
    rendered = chart.objects(chart.template(values))
    if yaml.safe_load(values.read_text()).get("existingConfigMap"):
        assert not any(each["kind"] == "ConfigMap" for each in rendered)
        return
    # As the pod would find them.
    text = chart.configuration(rendered).replace("/run/secrets/", f"{tmp_path}/")
    for name in re.findall(rf"{tmp_path}/\S+", text):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("not-a-real-one\n")
    certificates(tmp_path)
    (tmp_path / "bridge.yaml").write_text(text)
    done = run([PROGRAM, "check", "--config", tmp_path / "bridge.yaml"], env={})
    assert done.returncode == 0, done.stdout + done.stderr


def certificates(folder: Path) -> None:
    """Puts real ones where certificates are asked for."""
    named = {suffix: list(folder.glob(f"*/*.{suffix}")) for suffix in ("crt", "key")}
    if named["crt"]:
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subject = ["-subj", "/CN=agi-bridge", "-addext", "subjectAltName=DNS:agi-bridge"]
        made = run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                *subject,
                "-days",
                "2",
                "-keyout",
                key,
                "-out",
                certificate,
            ]
        )
        assert made.returncode == 0, made.stderr
        for path in named["crt"]:
            path.write_bytes(certificate.read_bytes())
        for path in named["key"]:
            path.write_bytes(key.read_bytes())


def test_the_base_is_the_chart_at_its_defaults() -> None:
    made = chart.objects(chart.template(MINIMAL))
    by_chart = {key(each): plain(each) for each in made if not chart.is_test(each)}
    by_base = {key(each): plain(each) for each in chart.objects(chart.kustomized())}
    assert by_base == by_chart


def key(each: chart.Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


def plain(each: chart.Object) -> chart.Object:
    """Without what Helm says of itself, and with the configuration as what it means."""
    each["metadata"].pop("namespace", None)
    for label in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
        each["metadata"]["labels"].pop(label, None)
    if each["kind"] == "ConfigMap":
        each["data"] = {name: yaml.safe_load(text) for name, text in each["data"].items()}
    return each


@pytest.mark.parametrize(
    ("drain", "grace"), [("1h", 3660), ("90s", 150), ("1h30m", 5460), ("2d", 172860), ("1500ms", 60)]
)
def test_the_grace_period_is_the_drain_and_a_minute(drain: str, grace: int) -> None:
    made = chart.objects(chart.template(MINIMAL, "--set", f"config.shutdown.drain_timeout={drain}"))
    assert one(made, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == grace


def test_a_new_configuration_replaces_no_pod() -> None:
    before, after = (
        one(chart.objects(chart.template(MINIMAL, "--set", f"config.agi.max_calls={calls}")), "Deployment")
        for calls in (100, 200)
    )
    assert before == after


def test_the_configuration_is_mounted_as_a_folder() -> None:
    for values in VALUES:
        container = one(chart.objects(chart.template(values)), "Deployment")["spec"]["template"]["spec"]["containers"][
            0
        ]
        assert not any("subPath" in mount for mount in container["volumeMounts"])
        assert {"name": "config", "mountPath": "/etc/agi-bridge", "readOnly": True} in container["volumeMounts"]


def test_pods_are_scaled_by_running_calls_and_slowly_down() -> None:
    made = chart.objects(chart.template(CHART / "ci/hpa-values.yaml"))
    spec = one(made, "HorizontalPodAutoscaler")["spec"]
    assert spec["metrics"][0]["pods"]["metric"]["name"] == "agibridge_call_active"
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 3600
    assert spec["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert "replicas" not in one(made, "Deployment")["spec"], "an upgrade would undo what the scaler did"


def test_a_balancer_keeps_asterisks_address() -> None:
    service = one(chart.objects(chart.template(CHART / "ci/loadbalancer-values.yaml")), "Service", "agi-bridge")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["externalTrafficPolicy"] == "Local"


def test_the_port_of_workers_is_there_when_the_bridge_listens_on_it() -> None:
    for values, there in ((MINIMAL, False), (CHART / "ci/workers-tls-values.yaml", True)):
        made = chart.objects(chart.template(values))
        ports = one(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]
        rules = one(made, "NetworkPolicy")["spec"]["ingress"]
        assert any(port["name"] == "api" for port in ports) is there
        assert any(rule["ports"][0]["port"] == "api" for rule in rules) is there
        assert any(each["metadata"]["name"] == "agi-bridge-api" for each in made) is there


def test_alerts_and_dashboard_are_those_of_the_repository() -> None:
    made = chart.objects(chart.template(FULL))
    rules = yaml.safe_load((chart.ROOT / "deploy/prometheus/agi-bridge.rules.yaml").read_text())
    assert one(made, "PrometheusRule")["spec"] == rules
    dashboard = json.loads((chart.ROOT / "deploy/grafana/agi-bridge.json").read_text())
    assert json.loads(one(made, "ConfigMap", "bridge-dashboard")["data"]["agi-bridge.json"]) == dashboard
    assert one(made, "ServiceMonitor")["spec"]["jobLabel"] == "app.kubernetes.io/name", "alerts look for that job"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("config.routes=null", "config.routes is empty"),
        ("config.admin.listen=127.0.0.1:4574", "/config/admin/listen"),
        ("config.agi.listen=0.0.0.0:5000", "/config/agi/listen"),
        ("config.shutdown.drain_timeout=soon", "/config/shutdown/drain_timeout"),
        ("service.agi.type=Loadbalancer", "/service/agi/type"),
        ("replicas=3", "replicas"),
    ],
)
def test_values_that_cannot_work_are_refused(setting: str, reason: str) -> None:
    assert reason in chart.refusal("--set", setting)


def test_the_readme_has_every_value() -> None:
    documented = documentation((CHART / "values.yaml").read_text())
    assert len(documented) > 60
    readme = (CHART / "README.md").read_text()
    table = "\n".join(f"| `{name}` | {text} |" for name, text in documented.items())
    assert table in readme, f"the table of README.md should be:\n{table}"


def documentation(text: str) -> dict[str, str]:
    """The comments `# --`, by the path of the key below each."""
    found: dict[str, str] = {}
    path: list[str] = []
    comment = None
    for line in text.splitlines():
        if match := re.fullmatch(r"\s*# -- (.*)", line):
            comment = match[1]
        elif match := re.match(r"( *)([A-Za-z]\w*):", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if comment is not None:
                found[".".join(path)] = comment
                comment = None
    return found


def test_every_value_is_documented() -> None:
    documented = documentation((CHART / "values.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def missing(value: object, path: str) -> list[str]:
        if path in documented:
            return []
        if isinstance(value, dict) and value:
            return [found for name, inner in value.items() for found in missing(inner, f"{path}.{name}".lstrip("."))]
        return [path]

    assert missing(values, "") == []


def test_the_notes_say_what_to_write_into_the_dialplan() -> None:
    template = (CHART / "templates/NOTES.txt").read_text()
    assert "AGI(agi://{{ $name }}.{{ .Release.Namespace }}.svc" in template


def blocks(page: str, language: str) -> list[str]:
    """What stands in the fenced blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (chart.ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [text for its, text in found if its == language]


def test_the_values_that_pages_show_make_a_chart(tmp_path: Path) -> None:
    shown = [*blocks("docs/deploying.md", "yaml"), *blocks("deploy/helm/agi-bridge/README.md", "yaml")]
    assert len(shown) >= 3
    for number, block in enumerate(shown):
        values = tmp_path / f"{number}.yaml"
        values.write_text(block)
        for each in chart.objects(chart.template(values)):
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_the_command_that_the_page_shows_looks_at_a_configuration(tmp_path: Path) -> None:
    page = "docs/deploying.md"
    command = next(block for block in blocks(page, "") if block.startswith("helm template"))
    command = command.replace("deploy/helm/agi-bridge", str(CHART))
    path = {"PATH": f"{TOOLS}:{PROGRAM.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    values = tmp_path / "my-values.yaml"
    for text, code in ((blocks(page, "yaml")[0], 0), ("config: {routes: [{name: a}]}", 1)):
        values.write_text(text)
        done = run(["bash", "-c", f"cd {tmp_path} && {command}"], env=path)
        assert done.returncode == code, done.stdout + done.stderr
    assert "routes[0]" in done.stdout + done.stderr


def test_a_packaged_chart_is_whole(tmp_path: Path) -> None:
    """The alerts and the dashboard are links in the repository."""
    done = run([TOOLS / "helm", "package", CHART, "--destination", tmp_path])
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.iterdir()
    done = run([TOOLS / "helm", "template", chart.RELEASE, package, "--namespace", chart.NAMESPACE, "--values", FULL])
    assert done.stdout == chart.template(FULL)


def test_the_overlay_that_the_page_shows_replaces_configuration_and_image(tmp_path: Path) -> None:
    overlay = next(block for block in blocks("docs/deploying.md", "") if block.startswith("resources:"))
    base = tmp_path / "base"
    base.mkdir()
    for file in chart.BASE.iterdir():
        (base / file.name).write_bytes(file.read_bytes())
    own = "routes: []\n"
    (tmp_path / "own").mkdir()
    (tmp_path / "own/bridge.yaml").write_text(own)
    remote = re.compile(r"github\.com/OWNER/agi-bridge/deploy/kustomize")
    assert remote.search(overlay)
    (tmp_path / "own/kustomization.yaml").write_text(remote.sub("../base", overlay))
    done = run([TOOLS / "kubectl", "kustomize", tmp_path / "own"])
    assert done.returncode == 0, done.stderr
    made = chart.objects(done.stdout)
    assert chart.configuration(made) == own
    deployment = one(made, "Deployment")
    assert deployment["metadata"]["namespace"] == "telephony"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/agi-bridge:0.1.0"
    assert one(made, "ConfigMap")["metadata"]["name"] == "agi-bridge", "the name that the pods mount"
