"""What the tests of deploy/ share: where things are, a running daemon under load, and a broker set up as deployed."""

import json
import os
from pathlib import Path

import pytest
from deployed import DeployedBroker
from program import Program, binary
from prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DEMO_SPEED = "120"
# A Tuesday on which London and New York are both at work: how much a demo completes must not depend on today's calendar.
DEMO_AT = "2026-11-24T13:30:00Z"


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
    arguments = ("demo", "--speed", DEMO_SPEED, "--at", DEMO_AT, "--listen", "127.0.0.1:0", "--data", str(folder))
    with Program(binary("release"), *arguments) as program:
        yield program.url


@pytest.fixture(scope="session")
def prometheus(daemon):
    """A Prometheus that scrapes the daemon under the job name that rules and dashboards expect."""
    with Prometheus({"heliograph": [daemon.removeprefix("http://")]}) as prometheus:
        assert prometheus.await_query('up{job="heliograph"} == 1'), f"{daemon}/metrics is not scraped"
        yield prometheus


@pytest.fixture(scope="module")
def broker():
    with DeployedBroker() as broker:
        yield broker
