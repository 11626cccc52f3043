"""The row `cluster`: three brokers on loopback as one, of which some are killed, stopped or cut off from the others.

Everybody speaks to the first broker that answers, through a proxy, as through a load balancer.
"""

import os
import signal
import time
from contextlib import ExitStack

from node import RabbitNode
from proxy import Proxy

NAMES = ("one", "two", "three")
HEALS_WITHIN_SECONDS = 60
# A broker that stands still is given up by the others after their own silence.
STOPPED_FOR_SECONDS = 4


class Cluster:
    """Three nodes with quorum queues; it looks like the first of them to those who make virtual hosts and users."""

    def __enter__(self):
        peers = "\n".join(f"cluster_formation.classic_config.nodes.{n} = {name}@localhost" for n, name in enumerate(NAMES, 1))
        config = f"cluster_formation.peer_discovery_backend = classic_config\n{peers}\n"
        # Without it, a side that has lost the majority would go on by itself.
        config += "cluster_partition_handling = pause_minority\n"
        self.nodes = []
        with ExitStack() as opened:
            for name in NAMES:
                beside = self.nodes[0] if self.nodes else None
                self.nodes.append(opened.enter_context(RabbitNode(extra_config=config, name=name, beside=beside)))
            self._front = Proxy([node.port for node in self.nodes])
            opened.callback(self._front.close)
            self._stack = opened.pop_all()
        running = self.nodes[0].eval("length(rabbit_nodes:all_running()).").strip()
        assert running == str(len(NAMES)), f"{running} nodes are one cluster"
        self.port = self._front.port
        self.user, self.password = self.nodes[0].user, self.nodes[0].password
        return self

    def __exit__(self, *_):
        self._stack.close()

    def amqp_url(self, vhost="/"):
        """The address of whichever node answers."""
        return self.nodes[0].amqp_url(vhost).replace(f":{self.nodes[0].port}/", f":{self.port}/")

    def prepare(self, vhosts=(), users=None):
        """Makes virtual hosts and users."""
        self.nodes[0].prepare(vhosts, users)

    def rabbitmqctl(self, *arguments):
        """Runs rabbitmqctl against the first node."""
        return self.nodes[0].rabbitmqctl(*arguments)


def plan(kills):
    """Nodes are killed one at a time and started again; then one stands still; then two are down and come back."""

    def run(leg):
        nodes = leg.node.nodes
        leg.up()
        for node in nodes:
            node.sync_queue_metadata()
        for _ in range(kills):
            node = leg.rng.choice(nodes)
            leg.fault("node kill")
            node.kill()
            time.sleep(leg.rng.uniform(0.2, 2))
            leg.fault("node back")
            node.start()
            _heal(leg)
        node = leg.rng.choice(nodes)
        _stand_still(leg, node)
        _lose_majority(leg, nodes)

    return run


def _stand_still(leg, node):
    leg.fault("node stop")
    for pid in node.processes():
        _signal(pid, signal.SIGSTOP)
    time.sleep(STOPPED_FOR_SECONDS)
    for pid in node.processes():
        _signal(pid, signal.SIGCONT)
    leg.fault("node goes on")
    _heal(leg)


def _lose_majority(leg, nodes):
    """No queue can take or give anything with one of three."""
    leg.fault("majority lost")
    for node in nodes[1:]:
        node.kill()
    time.sleep(3)
    for node in nodes[1:]:
        node.start()
    leg.fault("majority back")
    _heal(leg)


def _heal(leg):
    """Until the daemon is ready, on whichever node."""
    deadline = time.monotonic() + HEALS_WITHIN_SECONDS
    while leg.daemon.is_running() and leg.daemon.status("/readyz") != 200:
        if time.monotonic() > deadline:
            leg.daemon.ended_itself.append(f"not ready on a healed cluster: {leg.daemon.text('/readyz')[:500]}")
            return
        time.sleep(0.1)
    leg.up()


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
