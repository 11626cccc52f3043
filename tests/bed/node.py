"""A private RabbitMQ node for tests.

Promises: its files, ports, cookie and epmd are its own; it listens on loopback only; it is ready when `start` returns; it
dies with the thread that started it, so a killed test run leaves nothing behind (start it from a thread that lives as long
as the node is wanted); when the `with` block ends no process and no file of it is left.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from certificates import Authority
from ports import free_port

BIN = Path("/usr/lib/rabbitmq/bin")
START_WITHIN_SECONDS = 60
STOP_WITHIN_SECONDS = 30
CONTROL_WITHIN_SECONDS = 60
FRESH_VHOSTS_AT_ONCE = 10
LOOPBACK_ONLY = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
NO_BUSY_WAIT = "+sbwt none +sbwtdcpu none +sbwtdio none"


class NodeError(RuntimeError):
    """A node that did not do what was asked, with its output."""


class RabbitNode:
    """One broker; `with RabbitNode() as node:` starts it and removes every trace at the end.

    `max_message_size` is in bytes, None for the broker's default (128 MiB). `extra_config` is appended to rabbitmq.conf.
    `name` and `beside` make nodes of one cluster: those beside another node use its epmd and its cookie.
    `tls` adds a listener for `amqps` with a certificate for `localhost` by the node's own `authority`: "optional" lets
    clients in that show no certificate, "required" does not. Whoever shows one needs it signed by that authority.
    """

    def __init__(self, max_message_size=None, extra_config="", tls=None, name="heliograph", beside=None):
        self.name, self._beside = name, beside
        self.port = free_port()
        self.user = "guest"
        self.password = secrets.token_hex(16)
        self._dist_port = free_port()
        self._epmd_port = free_port() if beside is None else beside._epmd_port
        self._cookie = secrets.token_hex(16) if beside is None else beside._cookie
        if beside is not None:
            self.user, self.password = beside.user, beside.password
        self._folder = Path(tempfile.mkdtemp(prefix="heliograph-rabbit-"))
        self._broker = None
        self._epmd = None
        self._fresh_made = 0
        self._fresh_left = []
        self.tls_port = self.authority = None
        self._write_files(max_message_size, extra_config)
        if tls is not None:
            self._add_tls_listener(must_show_certificate={"optional": False, "required": True}[tls])

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    @property
    def pid(self):
        """The broker's process id, None while it is down."""
        return self._broker.pid if self._broker else None

    def amqp_url(self, vhost="/", user=None, password=None):
        """The address with user and password in it; the vhost is percent-encoded. Without a user: the administrator."""
        if user is None:
            user, password = self.user, self.password
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def amqps_url(self, vhost="/", host="localhost"):
        """The encrypted address of the administrator; the certificate is for no other host than `localhost`."""
        return f"amqps://{self.user}:{self.password}@{host}:{self.tls_port}/{quote(vhost, safe='')}"

    # --- its life ---

    def start(self):
        """Starts the broker on the data it has; returns when it says READY=1."""
        if self._epmd is None and self._beside is None:
            self._epmd = self._spawn(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"], "epmd.out")
            self._await_epmd()
        notify_path = self._folder / "notify"
        notify_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(notify_path))
            # With NOTIFY_SOCKET set the script becomes the broker, so that this pid is the broker's.
            self._broker = self._spawn([str(BIN / "rabbitmq-server")], "server.out")
            self._await_ready(notify)

    def stop(self):
        """Stops the broker in good order; its data stays for `restart`."""
        self._end(signal.SIGTERM, STOP_WITHIN_SECONDS)

    def kill(self):
        """Ends the broker at once, as a crash would; its data stays for `restart`."""
        self._end(signal.SIGKILL, STOP_WITHIN_SECONDS)

    def restart(self):
        """Starts the broker again on the same data and ports; stops it first when it runs."""
        if self._broker:
            self.stop()
        self.start()

    def processes(self):
        """The ids of every living process of this node, found by the folder in its environment."""
        mark = f"HOME={self._folder}/home".encode()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path(f"/proc/{entry}/environ").read_bytes()
                except OSError:
                    continue
                if mark in environment.split(b"\0"):
                    found.append(int(entry))
        return found

    # --- its content ---

    def rabbitmqctl(self, *arguments):
        """Runs rabbitmqctl against the node (about a second a call) and returns its output."""
        run = subprocess.run(
            [str(BIN / "rabbitmqctl"), *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=CONTROL_WITHIN_SECONDS,
        )
        if run.returncode != 0:
            raise NodeError(f"rabbitmqctl {' '.join(arguments)}: exit {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    def eval(self, erlang):
        """Runs Erlang expressions on the node and returns what the last one printed."""
        return self.rabbitmqctl("eval", erlang)

    def add_vhost(self, *names):
        """Makes virtual hosts, all in one call, with full permissions for the administrator."""
        self.prepare(vhosts=names)

    def add_user(self, name, password):
        """Makes a user without permissions."""
        self.prepare(users={name: password})

    def set_permissions(self, vhost, user, configure=".*", write=".*", read=".*"):
        """Sets a user's permissions in a virtual host."""
        self.rabbitmqctl("set_permissions", "--vhost", vhost, user, configure, write, read)

    def prepare(self, vhosts=(), users=None):
        """Makes virtual hosts and users in one call; each of these users gets full permissions in each of these hosts."""
        users = users or {}
        acting = '<<"test bed">>'
        lines = [f"rabbit_vhost:add({_binary(v)}, {acting})" for v in vhosts]
        lines += [f"rabbit_auth_backend_internal:add_user({_binary(u)}, {_binary(p)}, {acting})" for u, p in users.items()]
        full = ", ".join(['<<".*">>'] * 3)
        lines += [
            f"rabbit_auth_backend_internal:set_permissions({_binary(u)}, {_binary(v)}, {full}, {acting})"
            for v in vhosts
            for u in (self.user, *users)
        ]
        if lines:
            self.eval(", ".join(lines) + ".")

    def fresh_vhost(self):
        """The name of a virtual host that nobody has used; they are made several at a time."""
        if not self._fresh_left:
            first = self._fresh_made + 1
            self._fresh_made += FRESH_VHOSTS_AT_ONCE
            self._fresh_left = [f"fresh{n:03}" for n in range(first, self._fresh_made + 1)]
            self.add_vhost(*self._fresh_left)
        return self._fresh_left.pop(0)

    def sync_queue_metadata(self):
        """Forces to disk what the node knows of its quorum queues; call it between declaring a queue and `kill`.

        RabbitMQ 3.10 writes this within two seconds by itself. A node killed before that has the queue and its messages
        on disk but never finds a leader for it again, and each consume ends with 541 after a minute.
        """
        self.eval("[dets:sync(Table) || Table <- dets:all()].")

    def import_definitions(self, path):
        """Loads a definitions file."""
        self.rabbitmqctl("import_definitions", str(path))

    def export_definitions(self):
        """What the node holds, in the form of a definitions file."""
        target = self._folder / "exported.json"
        self.rabbitmqctl("export_definitions", str(target))
        return json.loads(target.read_text())

    # --- inside ---

    def _write_files(self, max_message_size, extra_config):
        home = self._folder / "home"
        home.mkdir()
        cookie = home / ".erlang.cookie"
        cookie.write_text(self._cookie)
        cookie.chmod(0o400)
        (self._folder / "enabled_plugins").write_text("[].\n")
        config = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "disk_free_limit.absolute = 50MB",
            "vm_memory_high_watermark.absolute = 1GB",
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            "log.console = false",
        ]
        if max_message_size is not None:
            config.append(f"max_message_size = {max_message_size}")
        (self._folder / "rabbitmq.conf").write_text("\n".join(config) + "\n" + extra_config)

    def _add_tls_listener(self, must_show_certificate):
        self.tls_port = free_port()
        folder = self._folder / "tls"
        folder.mkdir()
        self.authority = Authority(folder, "authority")
        server = self.authority.server("server", "DNS:localhost")
        config = [
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {self.authority.file}",
            f"ssl_options.certfile = {server.certificate}",
            f"ssl_options.keyfile = {server.key}",
            "ssl_options.verify = verify_peer",
            f"ssl_options.fail_if_no_peer_cert = {str(must_show_certificate).lower()}",
        ]
        with open(self._folder / "rabbitmq.conf", "a") as file:
            file.write("\n" + "\n".join(config) + "\n")

    def _environment(self):
        folder = self._folder
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": f"{folder}/home",
            "NOTIFY_SOCKET": f"{folder}/notify",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_USE_LONGNAME": "false",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/gen",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{folder}/plugins",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{LOOPBACK_ONLY} {NO_BUSY_WAIT}",
            "RABBITMQ_CTL_ERL_ARGS": LOOPBACK_ONLY,
        }

    def _spawn(self, command, output):
        with open(self._folder / output, "ab") as sink:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def _await_epmd(self):
        deadline = time.monotonic() + START_WITHIN_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._epmd_port)) == 0:
                    return
            if self._epmd.poll() is not None:
                break
            time.sleep(0.01)
        raise NodeError(f"epmd does not answer on port {self._epmd_port}")

    def _await_ready(self, notify):
        deadline = time.monotonic() + START_WITHIN_SECONDS
        notify.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                if self._broker.poll() is not None:
                    break
        raise NodeError(f"the broker did not get ready\n{self._last_output()}")

    def _last_output(self):
        files = [self._folder / "server.out", *sorted((self._folder / "log").glob("*.log"))]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-4000:]}" for file in files if file.exists())

    def _end(self, signal_number, within_seconds):
        broker, self._broker = self._broker, None
        if broker is None:
            return
        broker.send_signal(signal_number)
        try:
            broker.wait(within_seconds)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()
            raise NodeError(f"the broker did not stop within {within_seconds} s\n{self._last_output()}") from None

    def _remove(self):
        self.kill()
        if self._epmd:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        deadline = time.monotonic() + STOP_WITHIN_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:  # port programs of the Erlang runtime, which end by themselves a moment later
                _kill_if_alive(pid)
            time.sleep(0.02)
        shutil.rmtree(self._folder, ignore_errors=True)
        if left:
            raise NodeError(f"processes left behind: {left}")


def _kill_if_alive(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _binary(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}">>'
