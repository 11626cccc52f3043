"""The systemd unit: accepted by systemd, and with little that a taken-over daemon could reach."""

import re
import subprocess

import pytest
from conftest import DEPLOY

UNIT = DEPLOY / "systemd/heliograph.service"
COMMAND = "/usr/bin/heliograph"
WORST_EXPOSURE = 1.5


@pytest.fixture
def unit(tmp_path):
    """A copy whose command exists, since the verifier wants it to."""
    text = UNIT.read_text()
    assert text.count(f"ExecStart={COMMAND} ") == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(f"ExecStart={COMMAND} ", "ExecStart=/bin/true "))
    return copy


def test_systemd_finds_nothing_to_say_about_the_unit(unit):
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    said = [line for line in (run.stdout + run.stderr).splitlines() if UNIT.name in line]
    assert run.returncode == 0 and said == [], run.stdout + run.stderr


def test_the_verifier_would_say_something_about_a_wrong_unit(unit):
    unit.write_text(unit.read_text() + "\nNoSuchSetting=yes\n")
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert "NoSuchSetting" in run.stdout + run.stderr


def test_the_unit_exposes_little(unit):
    run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True)
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", run.stdout)[1])
    assert exposure <= WORST_EXPOSURE, run.stdout


def test_the_daemon_tells_systemd_when_it_is_ready_and_alive():
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Type"] == "notify" and settings["NotifyAccess"] == "main" and settings["WatchdogSec"]
    assert settings["RestartPreventExitStatus"] == "78"
