"""A private Prometheus server for tests, and promtool: both from the folder that install.sh unpacks.

Promises: it listens on loopback only, scrapes the targets it was given every second, dies with the thread that started it
and leaves no process and no file.
"""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ports import free_port

BIN = Path(__file__).resolve().parents[2] / "target/bed/debian/usr/bin"
START_WITHIN_SECONDS = 20
FIRST_SAMPLE_WITHIN_SECONDS = 20
SCRAPE_EVERY = "1s"
POLL_SECONDS = 0.1


class PrometheusError(RuntimeError):
    """An answer that is not a success, with Prometheus' own words."""


class Prometheus:
    """`with Prometheus({"heliograph": ["127.0.0.1:9464"]}) as prometheus:`; the keys are jobs, the values their targets."""

    def __init__(self, jobs=None, rule_files=()):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="heliograph-prometheus-"))
        self._process = None
        config = {
            "global": {"scrape_interval": SCRAPE_EVERY, "evaluation_interval": SCRAPE_EVERY},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in (jobs or {}).items()
            ],
        }
        (self._folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    @property
    def pid(self):
        """The server's process id."""
        return self._process.pid

    def get(self, path, **parameters):
        """Asks `/api/v1/<path>`; returns the answer's `data`."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            body = json.load(error)
            raise PrometheusError(f"{body.get('errorType')}: {body.get('error')}: {parameters}") from None

    def query(self, expression):
        """The result of an instant query: a list of series."""
        return self.get("query", query=expression)["result"]

    def format_query(self, expression):
        """The expression as Prometheus prints it; raises PrometheusError when it does not parse."""
        return self.get("format_query", query=expression)

    def await_query(self, expression, within_seconds=FIRST_SAMPLE_WITHIN_SECONDS):
        """The result of a query as soon as it is not empty; the empty result when the time is over."""
        deadline = time.monotonic() + within_seconds
        while not (result := self.query(expression)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return result

    def _start(self):
        with open(self._folder / "out", "ab") as sink:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    str(BIN / "prometheus"),
                    f"--config.file={self._folder}/prometheus.yml",
                    f"--storage.tsdb.path={self._folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_WITHIN_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                    return
            except OSError:
                time.sleep(0.02)
        raise PrometheusError(f"prometheus did not get ready\n{(self._folder / 'out').read_text()[-4000:]}")

    def _remove(self):
        if self._process:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def promtool(*arguments, stdin=None):
    """Runs promtool; returns the finished process with its output as text."""
    return subprocess.run([str(BIN / "promtool"), *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120)
