"""A real kube-apiserver and etcd, in a sandbox: it judges objects as a cluster would, and runs nothing. Pod Security is
enforced in the namespace of the tests."""

import json
import subprocess
from pathlib import Path

import yaml
from chart import NAMESPACE, TOOLS, Object
from sandbox import Sandbox, run, until

TOKEN = "made-for-this-test-alone"
MODES = ("enforce", "warn", "audit")


class Cluster:
    """Ends with its sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._settings = folder / "kubeconfig"
        self._settings.write_text(yaml.safe_dump(kubeconfig(folder)))
        etcd_log, log = folder / "etcd.log", folder / "apiserver.log"
        sandbox.start("etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync", log=etcd_log)
        key = folder / "accounts.key"
        made = run(["openssl", "genrsa", "-out", key, "2048"])
        assert made.returncode == 0, made.stderr
        (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        sandbox.start(
            TOOLS / "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            "--bind-address=127.0.0.1",
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={folder / 'certificates'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            log=log,
        )
        why = lambda: f"{etcd_log.read_text()[-2000:]}\n{log.read_text()[-4000:]}"  # noqa: E731
        until("kube-apiserver", lambda: self._try("get", "--raw", "/readyz").returncode == 0, why)
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in MODES}
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        # What a controller does in a cluster.
        self.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}
        )
        for plural, kind in (("servicemonitors", "ServiceMonitor"), ("prometheusrules", "PrometheusRule")):
            self.create(definition(plural, kind))
            path = f"/apis/monitoring.coreos.com/v1/{plural}"
            until(kind, lambda path=path: self._try("get", "--raw", path).returncode == 0, why)

    def kubectl(self, *arguments: str | Path, fails: bool = False, stdin: str | None = None) -> tuple[str, str]:
        """What kubectl writes to either output."""
        command = [TOOLS / "kubectl", "--kubeconfig", self._settings, "--namespace", NAMESPACE]
        done = self._sandbox.run(*command, *arguments, fails=fails, stdin=stdin)
        return done.stdout, done.stderr

    def helm(self, *arguments: str | Path) -> tuple[str, str]:
        """What helm writes to either output."""
        command = [TOOLS / "helm", "--kubeconfig", self._settings, "--namespace", NAMESPACE]
        done = self._sandbox.run(*command, *arguments)
        return done.stdout, done.stderr

    def create(self, made: Object, fails: bool = False) -> str:
        """Creates an object; what was said of it: warnings, or why it is refused."""
        return self.kubectl("create", "--filename", "-", fails=fails, stdin=json.dumps(made))[1]

    def get(self, kind: str, name: str) -> Object:
        """An object as it is kept."""
        return json.loads(self.kubectl("get", kind, name, "--output", "json")[0])

    def _try(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [TOOLS / "kubectl", "--kubeconfig", self._settings, *arguments]
        return run([*self._sandbox.enter, *command], env=self._sandbox.environment)


def kubeconfig(folder: Path) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "clusters": [
            {"name": "test", "cluster": {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}}
        ],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
    }


def definition(plural: str, kind: str) -> Object:
    """A kind of the Prometheus operator, as far as the name goes."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def pod_of(deployment: Object) -> Object:
    """The pod that a Deployment would make."""
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "namespace": NAMESPACE, "name": f"{deployment['metadata']['name']}-0"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
