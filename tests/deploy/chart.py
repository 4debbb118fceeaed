"""The chart and the base as objects: rendered by helm and kubectl, read as YAML. Knows no cluster."""

import os
from pathlib import Path
from typing import Any

import yaml
from sandbox import run

ROOT = Path(__file__).parents[2]
LAB = Path(os.environ.get("AGIBRIDGE_LAB") or Path(os.environ["HOME"]) / ".cache/agi-bridge-lab")
TOOLS = LAB / "kubernetes"
PROGRAM = LAB / "pods/tree/agi-bridge"
CHART = ROOT / "deploy/helm/agi-bridge"
BASE = ROOT / "deploy/kustomize"
VALUES = sorted(CHART.glob("ci/*-values.yaml"))
RELEASE = "agi-bridge"
NAMESPACE = "telephony"

Object = dict[str, Any]


def template(values: Path, *arguments: str) -> str:
    """What helm makes of the chart; it must make something."""
    done = run([TOOLS / "helm", "template", RELEASE, CHART, "--namespace", NAMESPACE, "--values", values, *arguments])
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(*arguments: str) -> str:
    """Why helm makes nothing of it."""
    minimal = CHART / "ci/minimal-values.yaml"
    done = run([TOOLS / "helm", "template", RELEASE, CHART, "--values", minimal, *arguments])
    assert done.returncode != 0, done.stdout
    return done.stderr


def objects(text: str) -> list[Object]:
    """The objects of a stream of YAML."""
    return [each for each in yaml.safe_load_all(text) if each]


def kustomized() -> str:
    """What kustomize makes of the base."""
    done = run([TOOLS / "kubectl", "kustomize", BASE])
    assert done.returncode == 0, done.stderr
    return done.stdout


def one(found: list[Object], kind: str, name: str | None = None) -> Object:
    """The one object of a kind, or of a kind and a name."""
    matching = [each for each in found if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert len(matching) == 1, f"{kind} {name}: {[each['metadata']['name'] for each in matching]}"
    return matching[0]


def configuration(found: list[Object]) -> str:
    """The file that the bridge would read."""
    files = [
        each["data"]["bridge.yaml"] for each in found if each["kind"] == "ConfigMap" and "bridge.yaml" in each["data"]
    ]
    assert len(files) == 1
    return files[0]


def is_test(each: Object) -> bool:
    """Whether only `helm test` makes it."""
    return "helm.sh/hook" in each["metadata"].get("annotations", {})
