"""The row `broker`: links that are cut, silent, slow or blocked, a broker that goes away, a queue that is deleted."""

import time

import pika
from proxy import BROKER, DAEMON

HEARTBEAT_SECONDS = 5
# Silence of twice the heartbeat ends a link, also when only the daemon's words are lost; what is asked for is readiness,
# which is a moment behind.
NOTICED_WITHIN_SECONDS = 2 * HEARTBEAT_SECONDS + 1
SILENCES = ((DAEMON, BROKER), (BROKER,), (DAEMON,))
SWEPT_BYTES = 6_000
CUT_WITHIN_SECONDS = 1.0
READY_STATUS = 200
LOST = "warsaw"


def plan(cuts, restarts, silences=1, first_offset=0):
    """All of it in one leg; cuts first, at byte offsets that go on from leg to leg."""

    def run(leg):
        leg.up()
        for number in range(cuts):
            _cut(leg, number, (first_offset + number * 7) % SWEPT_BYTES)
        leg.up()
        for number in range(silences):
            _fall_silent(leg, SILENCES[number % 3])
        _slow(leg)
        _alarm(leg)
        _delete_queue(leg)
        for number in range(restarts):
            _restart(leg, number)

    return run


def _cut(leg, number, offset):
    """At an offset from now on; every fourth while the link before is being built anew."""
    if number % 4:
        leg.up()
    leg.fault("cut")
    before = leg.proxy.cuts
    leg.proxy.cut_after(offset + 1, (DAEMON, BROKER)[number % 2])
    deadline = time.monotonic() + CUT_WITHIN_SECONDS
    while leg.proxy.cuts == before and time.monotonic() < deadline:
        time.sleep(0.01)
    if leg.proxy.cuts == before:
        leg.proxy.cut()
    # An offset that the link does not come to any more is a cut that the next one brings.
    leg.fault("cut felt")


def _fall_silent(leg, directions):
    """Nothing passes, and nobody says so."""
    leg.fault("silence")
    leg.proxy.swallow(*directions)
    began = time.monotonic()
    while leg.daemon.status("/readyz") == READY_STATUS and time.monotonic() < began + 2 * NOTICED_WITHIN_SECONDS:
        time.sleep(0.05)
    took = time.monotonic() - began
    name = f"seconds to notice silence {' and '.join(directions)}"
    leg.worst[name] = round(max(took, leg.worst.get(name, 0)), 1)
    if took > NOTICED_WITHIN_SECONDS:
        leg.daemon.ended_itself.append(f"silence {' and '.join(directions)} was noticed after {took:.1f} s")
    leg.proxy.swallow()
    leg.fault("silence over")
    leg.up()


def _slow(leg):
    leg.fault("slow")
    leg.proxy.slow(64, 0.001)
    time.sleep(2)
    leg.proxy.slow()
    leg.up()


def _alarm(leg):
    """The broker blocks publishers; nothing is lost by that, and reading goes on."""
    leg.fault("alarm")
    leg.node.rabbitmqctl("set_disk_free_limit", "1000GB")
    time.sleep(1)
    leg.node.rabbitmqctl("set_disk_free_limit", "50MB")
    leg.fault("alarm over")
    leg.up()


def _delete_queue(leg):
    """A team's queue with all that is in it, under load: what is published to it meanwhile comes back."""
    leg.fault("queue deleted")
    leg.leg.lost_queues.add(LOST)
    connection = pika.BlockingConnection(pika.URLParameters(leg.url))
    connection.channel().queue_delete(f"heliograph.team.{LOST}")
    connection.close()
    time.sleep(2)
    # The next link declares it anew.
    leg.fault("cut")
    leg.proxy.cut()
    leg.up()


def _restart(leg, number):
    leg.node.sync_queue_metadata()
    leg.fault("restart")
    if number % 2:
        leg.node.kill()
    leg.node.restart()
    leg.fault("restarted")
    leg.up()
