"""What the end-to-end tests share: one broker with a user for each client and team, a virtual host and a daemon a test."""

import logging
import secrets
import time
import tomllib

import pytest
from daemon import BINARY, ROSTER, Daemon
from node import RabbitNode

DAEMON_USER = "heliograph"
EMPTY_WITHIN_SECONDS = 30
logging.getLogger("pika").setLevel(logging.CRITICAL)  # each refused connection is several lines there


@pytest.fixture(scope="session")
def roster():
    """The roster of these tests, as it stands in its file."""
    return tomllib.loads(ROSTER.read_text())


@pytest.fixture(scope="session")
def node(roster):
    """A broker with the users of the roster; its own one, since these tests restart it and need a user per client."""
    users = [DAEMON_USER, *(it["broker_user"] for it in roster["clients"] + roster["teams"])]
    with RabbitNode() as node:
        node.passwords = {user: secrets.token_hex(16) for user in users}
        node.prepare(users=node.passwords)
        yield node


def may(user, node):
    """What a user may configure, write and read: what the deployed definitions give the daemon, a firm and a team, no more."""
    kind, _, name = user.partition("-")
    if user == node.user:
        patterns = (".*", ".*", ".*")
    elif user == DAEMON_USER:
        patterns = (r"^heliograph\\.",) * 3
    elif kind == "client":
        patterns = ("^$", r"^heliograph\\.(requests|updates)$", rf"^{name}\\.(replies|events)$")
    else:
        patterns = ("^$", r"^heliograph\\.updates$", rf"^heliograph\\.team\\.{name}$")
    return ", ".join(f'<<"{pattern}">>' for pattern in patterns)


class Bed:
    """A virtual host of the broker and the daemons on it."""

    def __init__(self, node, folder):
        self.node, self._folder = node, folder
        self.vhost = secrets.token_hex(4)
        permissions = ", ".join(
            f'rabbit_auth_backend_internal:set_permissions(<<"{user}">>, <<"{self.vhost}">>, {may(user, node)}, <<"test bed">>)'
            for user in (node.user, *node.passwords)
        )
        node.eval(f'rabbit_vhost:add(<<"{self.vhost}">>, <<"test bed">>), {permissions}.')

    def url(self, user=DAEMON_USER):
        """The address for a user, the daemon's unless another is named."""
        return self.node.amqp_url(self.vhost, user, self.node.passwords[user])

    def watcher(self):
        """The address for a test that looks on or meddles: the administrator, who may do everything."""
        return self.node.amqp_url(self.vhost)

    def client(self, client):
        """The address for a client's user."""
        return self.url(f"client-{client}")

    def team(self, team):
        """The address for a team's user."""
        return self.url(f"team-{team}")

    def daemon(self, clock, speed=1, roster=ROSTER):
        """A daemon on this virtual host, not started."""
        return Daemon(self._folder, clock, speed, self.url(), roster)

    def await_empty(self, queue):
        """Waits until a queue holds nothing, unacknowledged messages included: a quorum queue counts with a delay."""
        deadline = time.monotonic() + EMPTY_WITHIN_SECONDS
        while left := self._depth(queue):
            assert time.monotonic() < deadline, f"{queue} still holds {left} messages"
            time.sleep(0.2)  # the broker tells nobody when its count changes

    def _depth(self, queue):
        ready, unacked = "messages_ready", "messages_unacknowledged"
        lines = self.node.rabbitmqctl("list_queues", "--quiet", "--vhost", self.vhost, "name", ready, unacked)
        rows = [line.split() for line in lines.splitlines()]
        return next(int(row[1]) + int(row[2]) for row in rows if row[0] == queue)


@pytest.fixture
def bed(node, tmp_path):
    """A virtual host that no other test uses."""
    return Bed(node, tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _built():
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is missing: cargo build --features test-clock")
