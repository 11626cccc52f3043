"""A daemon in a process of its own, as an operator runs it: a settings file, a store, a line on stdout.

Promises: it dies with the test run; `start` returns when it is ready; a second `start` goes on with the same store, on an
engine clock that has gone on meanwhile.
"""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("HELIOGRAPH_BIN", ROOT / "target/debug/heliograph"))
ROSTER = ROOT / "tests/fixtures/roster/e2e.toml"
LISTENING = re.compile(r"listening on (http://\S+)")
READY_WITHIN_SECONDS = 30
STOP_WITHIN_SECONDS = 30
ANSWER_WITHIN_SECONDS = 40
PAGE = 500


class Daemon:
    """One daemon; `with` ends it. `clock` is the engine's civil time at the first start, `speed` how fast it runs."""

    def __init__(self, folder, clock, speed=1, amqp_url=None, roster=ROSTER, store=None, http=()):
        """`http` are further lines of that section of its settings."""
        self.folder = folder
        self.token = None  # what it is called with
        self._clock, self._speed, self._began = datetime.fromisoformat(clock), speed, None
        self._process = self.address = None
        settings = [
            "[store]\n" + (store or f'path = "{folder}/heliograph.db"'),
            f'[roster]\npath = "{roster}"',
            "\n".join(['[http]', 'listen = "127.0.0.1:0"', *http]),
            '[log]\nlevel = "info"',
        ]
        if amqp_url:
            settings.append(f'[amqp]\nurl = "{amqp_url}"')
        self.settings = folder / "heliograph.toml"
        self.settings.write_text("\n\n".join(settings) + "\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self._process:
            self.kill()

    # --- its life ---

    def start(self, clock=None, speed=None, arguments=()):
        """Starts it and waits until it is ready; `clock` and `speed` give another civil time than the one gone on."""
        if clock:
            self._clock, self._began = datetime.fromisoformat(clock), None
        self._speed = speed or self._speed
        now = self.engine_now()
        self._clock, self._began = now, time.monotonic()
        setting = f"{now.isoformat(timespec='milliseconds')},{self._speed}"
        with open(self.folder / "stderr", "ab") as errors:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *_command(self.settings), *arguments],
                env=dict(os.environ, HELIOGRAPH_TEST_CLOCK=setting),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        line = self._process.stdout.readline()
        match = LISTENING.search(line)
        assert match, f"the first line is {line!r}, exit {self._process.poll()}\n{self.log()[-4000:]}"
        self.address = match[1].rstrip("/")
        self._await_ready()

    def kill(self):
        """Ends it at once, as a crash would."""
        self._process.kill()
        self._forget()

    def pause(self):
        """Stops its process where it is; `resume` lets it go on."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Lets a process go on that was stopped."""
        self._process.send_signal(signal.SIGCONT)

    def await_end(self):
        """Waits until it ends by itself; its exit code."""
        code = self._process.wait(STOP_WITHIN_SECONDS)
        self._forget()
        return code

    def is_ready(self, query="?role=active"):
        """Whether it says that it is; by default that it leads."""
        try:
            return self.get("/readyz" + query)["ready"]
        except (OSError, ValueError):
            return False

    def await_leading(self):
        """Waits until it leads."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self.is_ready():
            assert time.monotonic() < deadline, f"it does not lead\n{self.log()[-4000:]}"
            time.sleep(0.01)

    def stop(self):
        """Asks it to stop, as an operator does, and waits; it must end with exit code 0.

        Returns what it wrote to stdout since it began to listen.
        """
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_WITHIN_SECONDS)
        rest = self._process.stdout.read()
        self._forget()
        assert code == 0, f"exit {code}\n{self.log()[-4000:]}"
        return rest

    def hang_up(self):
        """Has it read its roster again."""
        self._process.send_signal(signal.SIGHUP)

    def check(self, name):
        """What /readyz says of one thing: (whether it is well, the detail)."""
        check = next(it for it in self.get("/readyz")["checks"] if it["name"] == name)
        return check["ok"], check["detail"]

    def engine_now(self):
        """The engine's time, within the duration of a start."""
        gone = 0 if self._began is None else time.monotonic() - self._began
        return self._clock + timedelta(seconds=gone * self._speed)

    def log(self):
        """Everything it wrote to stderr."""
        return (self.folder / "stderr").read_text(errors="replace")

    # --- what it answers ---

    def get(self, path, headers=None):
        """The answer to a GET as JSON."""
        return self._ask(self._request(path, headers=headers))

    def post(self, path, body):
        """The answer to a POST as (status, JSON); refusals too."""
        request = self._request(path, json.dumps(body).encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def task(self, task):
        """A task by its id."""
        return self.get(task_path(task))

    def metric(self, sample):
        """The value of a sample on the metrics page."""
        with urllib.request.urlopen(self.address + "/metrics", timeout=ANSWER_WITHIN_SECONDS) as page:
            lines = page.read().decode().splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == sample)

    def tasks(self, **filters):
        """Every task, page by page."""
        found, cursor = [], {}
        while True:
            page = self.get("/api/v1/tasks?" + urllib.parse.urlencode({"limit": PAGE, **filters, **cursor}))
            found += page["tasks"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    def text(self, path, body=None):
        """The bare answer to a GET, or to a POST of these bytes, whatever its status."""
        headers = {"content-type": "application/json"}
        try:
            with urllib.request.urlopen(self._request(path, body, headers), timeout=ANSWER_WITHIN_SECONDS) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def open_events(self, after=None, last_event_id=None):
        """The stream of events, as a file of lines."""
        headers = {} if last_event_id is None else {"last-event-id": str(last_event_id)}
        path = "/api/v1/events" if after is None else f"/api/v1/events?after={after}"
        return urllib.request.urlopen(self._request(path, headers=headers), timeout=ANSWER_WITHIN_SECONDS)

    # --- inside ---

    def _request(self, path, body=None, headers=None):
        known = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        return urllib.request.Request(self.address + path, data=body, headers={**known, **(headers or {})})

    def _ask(self, request):
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_SECONDS) as answer:
            return json.load(answer)

    def _await_ready(self):
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            try:
                return self.get("/readyz")
            except urllib.error.HTTPError as error:
                answer = error.read().decode()
            assert time.monotonic() < deadline, f"not ready: {answer}\n{self.log()[-4000:]}"
            time.sleep(0.02)

    def _forget(self):
        self._process.wait()
        self._process.stdout.close()
        self._process = None


def eventually(holds):
    """Waits until something holds that nobody tells of."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)


def task_path(task):
    """The address of a task."""
    return "/api/v1/tasks/" + urllib.parse.quote(task, safe="")


def _command(settings):
    return [str(BINARY), "serve", "--settings", str(settings)]
