"""A private PostgreSQL server for tests: its own data folder, a free port on loopback, ended with its parent."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from ports import free_port

BIN = Path("/usr/lib/postgresql/15/bin")
USER = "heliograph"
START_WITHIN_SECONDS = 20
STOP_WITHIN_SECONDS = 20


class PostgresServer:
    """`with PostgresServer() as server:`; `server.url("name")` is a database's address."""

    def __init__(self, settings=()):
        self.settings = list(settings)
        self.process = None
        self.port = None
        self.folder = None

    def __enter__(self):
        # Under the system's folder for such things, which the user that the server runs as can reach.
        self.folder = Path(tempfile.mkdtemp(prefix="heliograph-postgres-"))
        try:
            (self.folder / "sock").mkdir(mode=0o700)
            if os.geteuid() == 0:
                owner = pwd.getpwnam("postgres")
                for path in (self.folder, self.folder / "sock"):
                    os.chown(path, owner.pw_uid, owner.pw_gid)
            self._run("initdb", "-D", self.folder / "data", "-U", USER, "-A", "trust", "--no-locale", "-E", "UTF8", "--no-instructions")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    def url(self, database="postgres", port=None):
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{database}"

    def start(self):
        """Starts the server, at its port of before if it had one, and waits until it answers."""
        if self.port is None:
            self.port = free_port()
        log = open(self.folder / "log", "ab")
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}/sock", *self.settings]
        command = [*self._as_owner(), "--pdeathsig", "INT", *self._clean(), BIN / "postgres", "-D", self.folder / "data"]
        for setting in settings:
            command += ["-c", setting]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_WITHIN_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"postgres did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """Ends the server: SIGINT stops it quickly and in order, SIGQUIT at once as if the machine had failed."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run_sql(self, sql, database="postgres"):
        """What psql prints for a statement, without headings."""
        command = [BIN / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout.strip()

    def _answers(self):
        probe = [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres"]
        with socket.socket() as reach:
            if reach.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0

    def _run(self, program, *arguments):
        command = [*self._as_owner(), *self._clean(), BIN / program, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    @staticmethod
    def _as_owner():
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return ["setpriv"]
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    @staticmethod
    def _clean():
        return ["env", "-i", f"PATH={BIN}:/usr/bin:/bin", "LANG=C.UTF-8"]
