"""The chart and the base, before a real kube-apiserver that enforces Pod Security `restricted`.

What is installed is accepted without a warning, and so are the pods that come of it.
"""

from collections.abc import Iterator
from pathlib import Path

import chart
import pytest
from chart import BASE, CHART, NAMESPACE, RELEASE, VALUES, one
from cluster import Cluster, pod_of
from sandbox import Sandbox

MINIMAL = CHART / "ci/minimal-values.yaml"
VIOLATION = "would violate PodSecurity"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Sandbox() as sandbox:
        yield Cluster(sandbox, tmp_path_factory.mktemp("cluster"))


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_chart_is_installed_and_its_pods_are_let_in(cluster: Cluster, values: Path) -> None:
    _, warnings = cluster.helm("install", RELEASE, CHART, "--values", values)
    try:
        assert "Warning" not in warnings, warnings
        made = chart.objects(chart.template(values))
        for each in made:
            if not chart.is_test(each):
                cluster.get(each["kind"], each["metadata"]["name"])
        for pod in (pod_of(one(made, "Deployment")), one(made, "Pod")):
            assert "Warning" not in cluster.create(pod)
            cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period", "0")
    finally:
        cluster.helm("uninstall", RELEASE)


def test_a_pod_that_may_do_more_is_refused(cluster: Cluster) -> None:
    careless = (
        "--set",
        "securityContext.allowPrivilegeEscalation=true",
        "--set",
        "podSecurityContext.runAsNonRoot=false",
    )
    _, warnings = cluster.helm("install", RELEASE, CHART, "--values", MINIMAL, *careless)
    try:
        assert VIOLATION in warnings, warnings
        deployment = one(chart.objects(chart.template(MINIMAL, *careless)), "Deployment")
        refused = cluster.create(pod_of(deployment), fails=True)
        assert 'violates PodSecurity "restricted' in refused, refused
    finally:
        cluster.helm("uninstall", RELEASE)


def test_an_object_with_a_mistake_is_refused(cluster: Cluster) -> None:
    budget = one(chart.objects(chart.template(MINIMAL)), "PodDisruptionBudget")
    budget["spec"]["unhealthyPodEvictionPolicy"] = "Sometimes"
    assert "Unsupported value" in cluster.create(budget, fails=True)


def test_a_new_configuration_changes_the_file_and_no_pod(cluster: Cluster) -> None:
    cluster.helm("install", RELEASE, CHART, "--values", MINIMAL)
    try:
        before = cluster.get("Deployment", RELEASE)
        cluster.helm("upgrade", RELEASE, CHART, "--values", MINIMAL, "--set", "config.agi.max_calls=123")
        assert "max_calls: 123" in cluster.get("ConfigMap", RELEASE)["data"]["bridge.yaml"]
        assert cluster.get("Deployment", RELEASE)["metadata"]["generation"] == before["metadata"]["generation"]
        cluster.helm("upgrade", RELEASE, CHART, "--values", MINIMAL, "--set", "image.tag=next")
        assert cluster.get("Deployment", RELEASE)["metadata"]["generation"] > before["metadata"]["generation"]
    finally:
        cluster.helm("uninstall", RELEASE)


def test_the_notes_have_the_line_for_the_dialplan(cluster: Cluster) -> None:
    told, _ = cluster.helm("install", RELEASE, CHART, "--values", MINIMAL)
    try:
        assert f"AGI(agi://agi-bridge.{NAMESPACE}.svc/PATH)" in told, told
    finally:
        cluster.helm("uninstall", RELEASE)


def test_the_base_is_accepted(cluster: Cluster) -> None:
    _, warnings = cluster.kubectl("apply", "--server-side", "--kustomize", BASE)
    try:
        assert "Warning" not in warnings, warnings
        made = chart.objects(chart.kustomized())
        assert len(made) >= 6
        assert "Warning" not in cluster.create(pod_of(one(made, "Deployment")))
    finally:
        cluster.kubectl("delete", "--kustomize", BASE)
