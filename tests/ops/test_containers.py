"""The Dockerfile and the compose file, as far as they can be checked without an image registry."""

import subprocess
import sys
from pathlib import Path

import yaml
from conftest import DEPLOY, ROOT

DOCKER = DEPLOY / "docker"
DOCKERFILE = DOCKER / "Dockerfile"
COMPOSE = DOCKER / "compose.yaml"
HADOLINT = Path(sys.executable).with_name("hadolint")
MADE_BEFORE_THE_FIRST_START = ("./secrets/", "../../config")


def compose():
    return yaml.safe_load(COMPOSE.read_text())


def test_hadolint_has_nothing_to_say():
    run = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_image_runs_as_nobody_special_and_has_the_zone_rules():
    final = DOCKERFILE.read_text().rsplit("\nFROM ", 1)[1]
    users = [line.split()[1] for line in final.splitlines() if line.startswith("USER ")]
    assert users and all(not user.startswith(("0", "root")) for user in users)
    assert "tzdata" in final


def test_the_build_sees_the_sources_and_nothing_else():
    allowed = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    assert {"Cargo.toml", "Cargo.lock", "src"} <= set(allowed)
    assert not {"target", ".git", "deploy"} & set(allowed)


def test_the_compilers_version_is_the_projects():
    channel = (ROOT / "rust-toolchain.toml").read_text().split('channel = "')[1].split('"')[0]
    assert f"FROM rust:{channel}-" in DOCKERFILE.read_text()


def test_every_port_is_on_loopback_and_every_image_has_a_version():
    for name, service in compose()["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "build" in service or ":" in service["image"] and not service["image"].endswith(":latest"), name


def test_every_mounted_file_exists_and_every_volume_is_declared():
    declared = compose()
    for name, service in declared["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith("."):
                assert source in declared["volumes"], f"{name}: {volume}"
            elif not source.startswith(MADE_BEFORE_THE_FIRST_START):
                assert (DOCKER / source).exists(), f"{name}: {volume}"


def test_secrets_are_not_in_the_repository():
    assert "/deploy/docker/secrets" in (ROOT / ".gitignore").read_text().splitlines()


def test_grafana_finds_its_source_and_its_dashboards():
    provisioning = DEPLOY / "grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"][0]
    assert source["url"].startswith("http://prometheus:") and "prometheus" in compose()["services"]
    path = yaml.safe_load((provisioning / "dashboards/heliograph.yaml").read_text())["providers"][0]["options"]["path"]
    assert f"../grafana/dashboards:{path}:ro" in compose()["services"]["grafana"]["volumes"]
