"""The daemon as a process that may be ended at any moment, on one clock that goes on whatever happens to it.

Promises: it dies with the thread that started it; an end that nobody caused is found out and kept.
"""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("HELIOGRAPH_CAMPAIGN_BIN", ROOT / "target/campaign/heliograph"))
READY_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 60
ANSWER_WITHIN_SECONDS = 5
LAST_WORDS = 600


class DaemonProcess:
    """One daemon; `planted` is the name of a bug, `steps` are failpoints for the next starts."""

    def __init__(self, folder, amqp_url, clock, speed, roster, planted=None, store=None, under=()):
        self.folder, self.planted, self.steps, self.under = Path(folder), planted, "", list(under)
        self.store = Path(store or self.folder / "heliograph.db")
        self.port = free_port()
        self.ended_itself = []
        self._clock = f"{clock},{speed},{time.clock_gettime(time.CLOCK_BOOTTIME):.6f}"
        self._process = None
        self._settings = self.folder / "heliograph.toml"
        self._settings.write_text(
            f'[store]\npath = "{self.store}"\n\n[roster]\npath = "{roster}"\n\n[http]\nlisten = "127.0.0.1:{self.port}"\n\n'
            f'[log]\nlevel = "info"\n\n[amqp]\nurl = "{amqp_url}"\nrequire_user_id = false\n'
        )

    @property
    def pid(self):
        """Its process id, None while nobody has started it."""
        return self._process.pid if self._process else None

    def start(self):
        """Starts it and does not wait."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH")}
        environment |= {"HELIOGRAPH_TEST_CLOCK": self._clock, "FAILPOINTS": self.steps}
        environment["HELIOGRAPH_TEST_WALL"] = str(self.folder / "wall")
        if self.planted:
            environment["HELIOGRAPH_PLANTED"] = self.planted
        with open(self.folder / "stderr", "ab") as errors:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.under, str(BINARY), "serve", "--settings", str(self._settings)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def is_running(self):
        """Whether it lives; one that ended by itself is noted."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return True
        self.ended_itself.append(f"exit {code}: {self.log()[-LAST_WORDS:]}")
        self._process = None
        return False

    def await_end(self, within):
        """Waits until it ends by itself and gives the exit code; None when it lives on. It is not noted as a fault."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            return None
        self._process = None
        return code

    def await_ready(self, within=READY_WITHIN_SECONDS):
        """Waits until /readyz says yes; false when it ended or did not get ready."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if not self.is_running():
                return False
            if self.status("/readyz") == 200:
                return True
            time.sleep(0.05)  # readiness is asked for, it does not tell
        return False

    def status(self, path):
        """The status of an answer, None when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_WITHIN_SECONDS) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def text(self, path):
        """The text of an answer, empty when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_WITHIN_SECONDS) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def signal(self, number):
        """Sends it a signal, if it lives."""
        if self.is_running():
            self._process.send_signal(number)

    def kill(self):
        """Ends it at once."""
        if self.is_running():
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self):
        """Ends it at once, or finds that it has ended, as it might."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self):
        """Asks it to stop and waits; one that does not stop, or not in good order, has ended by itself."""
        if not self.is_running():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        if code != 0:
            self.ended_itself.append(f"exit {code} when asked to stop: {self.log()[-LAST_WORDS:]}")

    def resident_bytes(self):
        """What it holds in memory, 0 when it does not live."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, IndexError):
            return 0

    def log(self):
        """Everything that it said."""
        return (self.folder / "stderr").read_text(errors="replace")
