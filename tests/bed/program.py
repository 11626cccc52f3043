"""The built program as a process of its own: `serve` or `demo`, from its first line to its end.

Promises: `url` is known when the `with` block begins, so the daemon listens; it dies with the thread that started it; the
block's end stops it in order and fails when it does not end or ends with an error.
"""

import os
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from queue import Empty, Queue

TARGET = Path(__file__).resolve().parents[2] / "target"
LISTENING = re.compile(r"listening on (https?://\S+)")
START_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 30
SHOWN_CHARACTERS = 4000


class ProgramError(RuntimeError):
    """A program that did not do what was asked, with what it said on stderr."""


class Program:
    """`with Program(binary, "demo", "--listen", "127.0.0.1:0") as program:`; `settings` are HELIOGRAPH__SECTION__KEY.

    `printed` holds the lines of its stdout.
    """

    def __init__(self, binary, *arguments, settings=None):
        self.url = None
        self.printed = []
        self._command = ["setpriv", "--pdeathsig", "KILL", str(binary), *arguments]
        self._environment = {**without_settings(os.environ), **(settings or {})}
        self._errors = tempfile.TemporaryFile()
        self._process = None
        self._lines = Queue()
        self._reader = None

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        # What nobody reads would stop the program once the pipe is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._address()
        except BaseException:
            self._process.kill()
            self._close()
            raise
        return self

    def __exit__(self, kind, *_):
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        said = self.errors()
        code = self._close()
        if kind is None and code != 0:
            raise ProgramError(f"it ended with {code}\n{said}")

    def hang_up(self):
        """Has it read its files again."""
        self._process.send_signal(signal.SIGHUP)

    def errors(self):
        """The end of what it said on stderr so far."""
        return self.log()[-SHOWN_CHARACTERS:]

    def log(self):
        """Everything that it said on stderr so far."""
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), size, 0).decode(errors="replace")

    def _read(self):
        for line in self._process.stdout:
            self.printed.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def _address(self):
        try:
            while (line := self._lines.get(timeout=START_WITHIN_SECONDS)) is not None:
                if match := LISTENING.search(line):
                    return match[1].rstrip("/")
        except Empty:
            pass
        raise ProgramError(f"it printed no `listening on http://...` line\n{self.errors()}")

    def _close(self):
        code = self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._errors.close()
        return code


def without_settings(environment):
    """The environment less what the program would take as its settings or as the address of a daemon."""
    return {name: value for name, value in environment.items() if not name.startswith("HELIOGRAPH")}


def binary(*profiles):
    """The program as it was built last of these profiles (`debug`, `release`)."""
    built = [path for profile in profiles if (path := TARGET / profile / "heliograph").exists()]
    if not built:
        raise ProgramError(f"none of {profiles} is built under {TARGET}: cargo build --locked")
    return max(built, key=lambda path: path.stat().st_mtime)
