"""The image: what is in it, how it is run, and that the same sources give the same one."""

import json
from pathlib import Path

import pytest
import yaml
from chart import LAB, PROGRAM, ROOT, Object
from podman import BRIDGE, SETTINGS
from sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    with Sandbox(SETTINGS) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def image(sandbox: Sandbox) -> Object:
    return json.loads(sandbox.run("buildah", "inspect", "--type", "image", BRIDGE).stdout)


def test_it_runs_as_nobody_in_particular(image: Object) -> None:
    config = image["OCIv1"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/agi-bridge"]
    assert config["Cmd"] == ["serve", "--config", "/etc/agi-bridge/bridge.yaml"]
    assert sorted(config["ExposedPorts"]) == ["4573/tcp", "4574/tcp", "4575/tcp"]


def test_it_says_what_it_is(image: Object, sandbox: Sandbox) -> None:
    labels = {
        name.removeprefix("org.opencontainers.image."): text
        for name, text in image["OCIv1"]["config"]["Labels"].items()
    }
    told = sandbox.run(PROGRAM, "--version").stdout
    assert labels["version"] in told
    assert labels["title"] == "agi-bridge"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"]


def test_the_chart_is_for_this_version() -> None:
    cargo = (ROOT / "Cargo.toml").read_text()
    version = yaml.safe_load((ROOT / "deploy/helm/agi-bridge/Chart.yaml").read_text())["appVersion"]
    assert f'[workspace.package]\nversion = "{version}"' in cargo
    base = yaml.safe_load((ROOT / "deploy/kustomize/kustomization.yaml").read_text())
    assert base["images"] == [{"name": "agi-bridge", "newTag": version}]


def test_the_toolchain_is_the_repositorys() -> None:
    channel = next(
        line for line in (ROOT / "rust-toolchain.toml").read_text().splitlines() if line.startswith("channel")
    )
    version = channel.split('"')[1]
    assert f"ARG RUST_VERSION={version}\n" in (ROOT / "deploy/docker/Dockerfile").read_text()


def test_there_is_nothing_else_in_it(image: Object, sandbox: Sandbox, tmp_path: Path) -> None:
    container = sandbox.run("buildah", "from", BRIDGE).stdout.strip()
    folder = Path(sandbox.run("buildah", "mount", container).stdout.strip())
    try:
        found = sandbox.run("find", folder, "-type", "f", "-printf", "%P %m %U\n").stdout.splitlines()
    finally:
        sandbox.run("buildah", "rm", container)
    wanted = [
        "agi-bridge 755",
        "etc/nsswitch.conf 644",
        "etc/ssl/certs/ca-certificates.crt 644",
        "licenses/LICENSE 644",
    ]
    assert sorted(found) == [f"{each} 0" for each in wanted]
    assert len(image["OCIv1"]["rootfs"]["diff_ids"]) == 1, "one layer"


def test_no_path_of_this_machine_is_in_the_program() -> None:
    program = PROGRAM.read_bytes()
    for path in (str(ROOT), str(Path.home() / ".cargo/registry")):
        assert path.encode() not in program, path


def test_the_same_sources_give_the_same_image(sandbox: Sandbox, tmp_path: Path) -> None:
    """The program as it was built, and all that is made of it from then on."""
    ids = []
    for name in ("one", "two"):
        context = tmp_path / name
        context.mkdir()
        sandbox.run("cp", "--recursive", LAB / "pods/tree", context)
        build = ["buildah", "build", "--quiet", "--isolation", "chroot", "--timestamp", "1700000000", "--build-context"]
        dockerfile = ROOT / "deploy/docker/Dockerfile"
        ids.append(sandbox.run(*build, f"build={context}", "--file", dockerfile, context).stdout.strip())
    assert ids[0] == ids[1]
    sandbox.run("buildah", "rmi", ids[0])
