"""A plain machine: the Debian package, installed into a Debian of its own, and the walls around the service."""

import gzip
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from chart import LAB, PROGRAM, ROOT
from sandbox import Sandbox, run

UNIT = ROOT / "deploy/systemd/agi-bridge.service"
CONFIG = "/etc/agi-bridge/bridge.yaml"
MOST_EXPOSED = 1.5
# The tree of the lab stays as it is.
OVERLAY = f"""
mkdir -p /run/lab/above /run/lab/work /run/debian
mount -t overlay overlay -o lowerdir={LAB}/root,upperdir=/run/lab/above,workdir=/run/lab/work /run/debian
mount -t proc proc /run/debian/proc
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("package") / "agi-bridge.deb"
    done = run([ROOT / "deploy/debian/deb.sh", os.environ["CARGO_DEB"], file, PROGRAM, "--fast"])
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="module")
def debian(package: Path) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.run("sh", "-ec", OVERLAY)
        sandbox.run("cp", package, LAB / "package/sysusers.deb", "/run/debian/run/")
        yield sandbox


def inside(debian: Sandbox, command: str, fails: bool = False) -> str:
    """What a command prints in that Debian."""
    return debian.run("chroot", "/run/debian", *shlex.split(command), fails=fails).stdout


def field(package: Path, name: str) -> str:
    return run(["dpkg-deb", "--field", package, name]).stdout.strip()


def test_lintian_finds_no_error(package: Path) -> None:
    done = run(["lintian", "--allow-root", "--fail-on", "error", package])
    assert done.returncode == 0, done.stdout


def test_the_package_is_of_this_version_and_asks_for_no_library(package: Path) -> None:
    version = re.search(r'\[workspace.package\]\nversion = "(.*)"', (ROOT / "Cargo.toml").read_text())
    assert version is not None
    assert field(package, "Version") == f"{version[1]}-1"
    changelog = (ROOT / "deploy/debian/changelog").read_text()
    assert changelog.startswith(f"agi-bridge ({version[1]}-1) ")
    assert "libc" not in field(package, "Depends")


def test_the_licences_of_its_libraries_go_with_it(package: Path, tmp_path: Path) -> None:
    run(["dpkg-deb", "--extract", package, tmp_path])
    told = gzip.decompress((tmp_path / "usr/share/doc/agi-bridge/LIBRARIES.gz").read_bytes()).decode()
    assert re.search(r"^tokio [\d.]+: MIT$", told, re.MULTILINE)
    assert "Permission is hereby granted" in told


def test_an_upgrade_touches_no_call(package: Path, tmp_path: Path) -> None:
    run(["dpkg-deb", "--control", package, tmp_path / "control"])
    texts = [path.read_text() for path in (tmp_path / "control").glob("p*")]
    asked = [line for text in texts for line in text.splitlines() if "deb-systemd-invoke" in line]
    assert [line.split()[:2] for line in asked] == [["deb-systemd-invoke", "stop"]]
    assert any('"$1" = remove ]; then\n\tdeb-systemd-invoke stop' in text for text in texts)


def test_it_is_installed_checked_upgraded_and_purged(debian: Sandbox) -> None:
    inside(debian, "dpkg --install /run/sysusers.deb /run/agi-bridge.deb")
    assert inside(debian, f"stat --format %U:%G:%a {CONFIG}") == "root:agi-bridge:640\n"
    assert "127.0.0.1:4573" in inside(debian, f"agi-bridge check --config {CONFIG}")
    for user, reads in (("agi-bridge", True), ("nobody", False)):
        inside(
            debian,
            f"setpriv --reuid {user} --regid {user if reads else 'nogroup'} --clear-groups cat {CONFIG}",
            fails=not reads,
        )
    inside(debian, "test -h /etc/systemd/system/multi-user.target.wants/agi-bridge.service")

    inside(debian, f"sed -i 1i#ours {CONFIG}")
    inside(debian, f"chmod 600 {CONFIG}")
    inside(debian, "dpkg --install /run/agi-bridge.deb")
    assert inside(debian, f"head -n 1 {CONFIG}") == "#ours\n"
    assert inside(debian, f"stat --format %a {CONFIG}") == "600\n"

    inside(debian, "mkdir --parents /var/lib/agi-bridge/calls")
    inside(debian, "dpkg --remove agi-bridge")
    inside(debian, f"test -e {CONFIG}")
    inside(debian, "dpkg --purge agi-bridge")
    for gone in ("/etc/agi-bridge", "/var/lib/agi-bridge", "/usr/bin/agi-bridge", "/usr/share/doc/agi-bridge"):
        inside(debian, f"test -e {gone}", fails=True)


def test_the_unit_is_in_order(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/agi-bridge", str(PROGRAM)))
    done = run(["systemd-analyze", "verify", "--man=no", unit])
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_the_service_is_behind_walls() -> None:
    done = run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT])
    exposure = re.search(r"Overall exposure level for agi-bridge.service: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= MOST_EXPOSED, done.stdout


def test_the_supervisor_is_more_patient_than_the_drain() -> None:
    unit = UNIT.read_text()
    patience = int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1])
    example = (ROOT / "agi-bridge.example.yaml").read_text()
    assert re.search(r"drain_timeout: 1h\b", example)
    assert patience >= 3600 + 60
