"""The settings, paths, ports and commands that deploy/ names, against the program itself."""

import os
import re
import subprocess

import pytest
import yaml
from conftest import DEPLOY, ROOT
from program import binary, without_settings

PORT = "8321"
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())["services"]["heliograph"]
UNIT = (DEPLOY / "systemd/heliograph.service").read_text()
ENV_FILE = {"HELIOGRAPH__AMQP__URL": "amqp://heliograph:a-password@rabbitmq:5672/heliograph"}


def check(environment):
    """`heliograph check` with these settings; /etc/heliograph is config/ of the repository."""
    mapped = {name: value.replace("/etc/heliograph/", f"{ROOT}/config/") for name, value in environment.items()}
    command = [binary("debug", "release"), "check", "--settings", ROOT / "config/heliograph.toml"]
    return subprocess.run(command, env={**without_settings(os.environ), **mapped}, capture_output=True, text=True)


def unit_environment():
    lines = [line.removeprefix("Environment=") for line in UNIT.splitlines() if line.startswith("Environment=")]
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


@pytest.mark.parametrize("environment", [{**COMPOSE["environment"], **ENV_FILE}, unit_environment()], ids=["compose", "systemd"])
def test_the_program_takes_every_setting_that_is_deployed(environment):
    assert environment
    run = check(environment)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_setting_that_the_program_does_not_know_is_found():
    run = check({**COMPOSE["environment"], **ENV_FILE, "HELIOGRAPH__AMQP__ALLOW_PLAIN": "true"})
    assert run.returncode == 78 and "amqp.allow_plain is not a setting" in run.stdout


def test_every_file_of_the_daemon_lies_where_its_user_may_read_or_write():
    for environment in (COMPOSE["environment"], unit_environment()):
        assert environment["HELIOGRAPH__ROSTER__PATH"] == "/etc/heliograph/roster.toml"
        assert environment["HELIOGRAPH__STORE__PATH"].startswith("/var/lib/heliograph/")
    assert "../../config:/etc/heliograph:ro" in COMPOSE["volumes"]
    assert "StateDirectory=heliograph" in UNIT and "ConfigurationDirectory=heliograph" in UNIT


def test_the_port_is_the_same_everywhere():
    assert COMPOSE["environment"]["HELIOGRAPH__HTTP__LISTEN"].endswith(f":{PORT}")
    assert COMPOSE["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert f"EXPOSE {PORT}" in (DEPLOY / "docker/Dockerfile").read_text()
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
    assert scraped == [{"targets": [f"{COMPOSE['environment']['HELIOGRAPH__HTTP__HOSTS']}:{PORT}"]}]


def test_the_image_is_built_from_the_lock_and_from_all_that_the_program_embeds():
    text = (DEPLOY / "docker/Dockerfile").read_text()
    assert "cargo build --release --locked" in text
    copied = {source for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for source in line.split()[:-1]}
    sources = [path.relative_to(ROOT) for path in (ROOT / "src").rglob("*.rs")]
    embedded = {
        os.path.normpath(source.parent / name)
        for source in sources
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', (ROOT / source).read_text())
    }
    assert any(path.startswith("config/") for path in embedded)
    for path in embedded | {"Cargo.toml", "Cargo.lock"}:
        assert any(path == source or path.startswith(f"{source}/") for source in copied), path
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    assert copied <= allowed


def test_every_command_that_deploy_names_exists():
    listed = subprocess.run([binary("debug", "release"), "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  ([a-z-]+)  ", listed, re.MULTILINE))
    assert {"serve", "why", "healthcheck"} <= known
    for path in [*DEPLOY.rglob("*.md"), DEPLOY / "systemd/heliograph.service"]:
        for quoted in re.findall(r"`heliograph ([a-z][a-z-]*)[^`]*`|/heliograph ([a-z][a-z-]*)", path.read_text()):
            assert (quoted[0] or quoted[1]) in known, f"{path}: {quoted}"
