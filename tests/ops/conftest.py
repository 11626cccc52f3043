"""What the tests of deploy/ share: where things are, and a running daemon under load."""

import json
import os
import re
import subprocess
import threading
from pathlib import Path
from queue import Empty, Queue

import pytest
from prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BINARY = ROOT / "target/release/heliograph"
DEMO_SPEED = "60"
LISTENING = re.compile(r"listening on (http://\S+)")
START_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 30


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
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is missing: cargo build --release --locked")
    folder = tmp_path_factory.mktemp("demo")
    command = [str(BINARY), "demo", "--speed", DEMO_SPEED, "--listen", "127.0.0.1:0", "--data", str(folder)]
    with open(folder / "stderr", "wb") as errors:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    lines = Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True)
    reader.start()
    try:
        yield _address(lines, folder / "stderr")
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()


@pytest.fixture(scope="session")
def prometheus(daemon):
    """A Prometheus that scrapes the daemon under the job name that rules and dashboards expect."""
    with Prometheus({"heliograph": [daemon.removeprefix("http://")]}) as prometheus:
        assert prometheus.await_query('up{job="heliograph"} == 1'), f"{daemon}/metrics is not scraped"
        yield prometheus


def _address(lines, errors):
    try:
        while True:
            if match := LISTENING.search(lines.get(timeout=START_WITHIN_SECONDS)):
                return match[1].rstrip("/")
    except Empty:
        pytest.fail(f"the demo printed no `listening on http://...` line\n{errors.read_text()[-4000:]}")
