"""What the tests of deploy/ share: where things are, a running daemon under load, and a broker set up as deployed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pika
import pytest
from node import RabbitNode
from program import Program, binary
from prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DEMO_SPEED = "60"
VHOST = "heliograph"
USERS = ("heliograph", "client-acme-llp", "team-sydney")


@pytest.fixture(scope="session")
def metrics_list():
    """deploy/metrics.txt: name -> (type, labels, whether it exists only with a broker)."""
    listed = {}
    for line in (DEPLOY / "metrics.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, labels, *marks = line.split()
            listed[name] = (kind, () if labels == "-" else tuple(labels.split(",")), "needs-broker" in marks)
    return listed


@pytest.fixture(scope="session")
def dashboards():
    """Every dashboard: file name -> parsed JSON."""
    found = {path.name: json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))}
    assert found
    return found


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    """The address of a daemon with a simulated firm and teams at work.

    HELIOGRAPH_METRICS_URL names one that runs already; else the release build's demo is started and ended here.
    """
    if given := os.environ.get("HELIOGRAPH_METRICS_URL"):
        yield given.removesuffix("/metrics")
        return
    folder = tmp_path_factory.mktemp("demo")
    arguments = ("demo", "--speed", DEMO_SPEED, "--listen", "127.0.0.1:0", "--data", str(folder))
    with Program(binary("release"), *arguments) as program:
        yield program.url


@pytest.fixture(scope="session")
def prometheus(daemon):
    """A Prometheus that scrapes the daemon under the job name that rules and dashboards expect."""
    with Prometheus({"heliograph": [daemon.removeprefix("http://")]}) as prometheus:
        assert prometheus.await_query('up{job="heliograph"} == 1'), f"{daemon}/metrics is not scraped"
        yield prometheus


class Broker:
    """The node that runs with the deployed rabbitmq.conf and definitions, and its users' passwords."""

    def __init__(self, node, passwords):
        self.node = node
        self._passwords = passwords

    def url(self, user):
        return self.node.amqp_url(VHOST, user, self._passwords[user])

    def connect(self, user):
        return pika.BlockingConnection(pika.URLParameters(self.url(user)))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rabbitmq")
    passwords = {user: f"password-of-{user}-long-enough" for user in USERS}
    arguments = []
    for user, password in passwords.items():
        (folder / user).write_text(password + "\n")
        arguments.append(f"{user}={folder / user}")
    fill = [sys.executable, DEPLOY / "rabbitmq/fill_passwords.py", *arguments]
    filled = folder / "definitions.json"
    filled.write_text(subprocess.run(fill, capture_output=True, text=True, check=True).stdout)
    deployed = (DEPLOY / "rabbitmq/rabbitmq.conf").read_text()
    assert "/etc/rabbitmq/definitions.json" in deployed
    with RabbitNode(extra_config=deployed.replace("/etc/rabbitmq/definitions.json", str(filled))) as node:
        yield Broker(node, passwords)
