"""deploy/rabbitmq in a real node: what each user may do, and that everything else is refused."""

import json
import subprocess
import sys

import pika
import pytest
from conftest import DEPLOY, USERS, VHOST
from node import RabbitNode

DEFINITIONS = DEPLOY / "rabbitmq/definitions.json"
FILL_PASSWORDS = DEPLOY / "rabbitmq/fill_passwords.py"
TEAM_QUEUES = ("heliograph.team.sydney", "heliograph.team.manila")
EXCHANGES = ("requests", "updates", "work", "events", "rejected", "unroutable", "replies")
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
REFUSED = 403
TOO_LARGE = 406
RABBITMQ_4_DEFAULT_DELIVERY_LIMIT = 20
DELIVERED_WITHIN_SECONDS = 20
QUIET_SECONDS = 0.5


@pytest.fixture(scope="module", autouse=True)
def team_queues(broker):
    with broker.connect("heliograph") as connection:
        channel = connection.channel()
        for queue in TEAM_QUEUES:
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(queue, "heliograph.work", queue.removeprefix("heliograph.team."))


@pytest.fixture
def as_user(broker):
    """Gives a confirming channel of a user; connections close when the test ends."""
    connections = []

    def channel(user):
        connection = broker.connect(user)
        connections.append(connection)
        channel = connection.channel()
        channel.confirm_delivery()
        return channel

    yield channel
    for connection in connections:
        if connection.is_open:
            connection.close()


def test_the_daemon_declares_every_exchange_and_queue_as_the_definitions_have_them(as_user):
    channel = as_user("heliograph")
    definitions = json.loads(DEFINITIONS.read_text())
    declared = {exchange["name"]: exchange for exchange in definitions["exchanges"]}
    assert set(declared) == {f"heliograph.{name}" for name in EXCHANGES}
    for name, exchange in declared.items():
        channel.exchange_declare(name, exchange["type"], durable=True, arguments=exchange["arguments"])
    for queue in definitions["queues"]:
        assert queue["arguments"] == {"x-queue-type": "quorum"}
        if queue["name"].startswith("heliograph."):
            channel.queue_declare(queue["name"], durable=True, arguments=queue["arguments"])
            channel.queue_bind(queue["name"], queue["name"], queue["name"])


def test_the_daemon_publishes_to_each_exchange_and_reads_each_of_its_queues(as_user):
    channel = as_user("heliograph")
    for exchange, key, queue in [
        ("heliograph.requests", "heliograph.requests", "heliograph.requests"),
        ("heliograph.updates", "heliograph.updates", "heliograph.updates"),
        ("heliograph.rejected", "heliograph.rejected", "heliograph.rejected"),
        ("heliograph.work", "sydney", "heliograph.team.sydney"),
    ]:
        publish(channel, exchange, key, queue.encode())
        assert take(channel, queue) == queue.encode()
    publish(channel, "heliograph.events", "task.admitted.nobody.-", b"event", mandatory=False)
    publish(channel, "heliograph.replies", "nobody.replies", b"receipt", mandatory=False)


@pytest.mark.parametrize("name", ["other", "acme-llp.replies", "amq.topic", "heliographx"])
def test_the_daemon_touches_nothing_outside_its_own_names(as_user, name):
    refused(as_user("heliograph"), lambda channel: channel.queue_declare(name, durable=True))
    refused(as_user("heliograph"), lambda channel: channel.exchange_declare(name, "topic", durable=True))
    refused(as_user("heliograph"), lambda channel: channel.basic_publish("amq.topic", "x", b""))


def test_a_firm_publishes_requests_and_updates(as_user):
    firm, daemon = as_user("client-acme-llp"), as_user("heliograph")
    for name in ("heliograph.requests", "heliograph.updates"):
        publish(firm, name, name, b"from the firm")
        assert take(daemon, name) == b"from the firm"


def test_a_firm_reads_its_own_receipts_and_events_and_gets_no_others(as_user):
    firm, daemon = as_user("client-acme-llp"), as_user("heliograph")
    publish(daemon, "heliograph.replies", "beta-llp.replies", b"another's", mandatory=False)
    publish(daemon, "heliograph.replies", "acme-llp.replies", b"mine")
    assert take(firm, "acme-llp.replies") == b"mine"
    publish(daemon, "heliograph.events", "task.admitted.beta-llp.-", b"another's", mandatory=False)
    publish(daemon, "heliograph.events", "task.offered.acme-llp.sydney", b"mine")
    assert take(firm, "acme-llp.events") == b"mine"
    assert nothing_in(firm, "acme-llp.replies") and nothing_in(firm, "acme-llp.events")


@pytest.mark.parametrize("exchange", ["heliograph.work", "heliograph.events", "heliograph.rejected", "heliograph.replies", "", "amq.topic"])
@pytest.mark.parametrize("user", ["client-acme-llp", "team-sydney"])
def test_firms_and_teams_cannot_publish_elsewhere(as_user, user, exchange):
    refused(as_user(user), lambda channel: channel.basic_publish(exchange, "heliograph.team.sydney", b"forged"))


def test_a_team_cannot_publish_requests(as_user):
    refused(as_user("team-sydney"), lambda channel: channel.basic_publish("heliograph.requests", "heliograph.requests", b"forged"))


@pytest.mark.parametrize(
    ("user", "queue"),
    [
        *(("client-acme-llp", queue) for queue in ("heliograph.requests", "heliograph.updates", "heliograph.rejected", *TEAM_QUEUES)),
        *(("team-sydney", queue) for queue in ("heliograph.requests", "heliograph.updates", "heliograph.rejected")),
        *(("team-sydney", queue) for queue in (TEAM_QUEUES[1], "acme-llp.replies", "acme-llp.events")),
    ],
)
def test_firms_and_teams_cannot_read_drain_or_delete_what_is_not_theirs(as_user, user, queue):
    refused(as_user(user), lambda channel: channel.basic_get(queue))
    refused(as_user(user), lambda channel: channel.basic_consume(queue, lambda *_: None))
    refused(as_user(user), lambda channel: channel.queue_purge(queue))
    refused(as_user(user), lambda channel: channel.queue_delete(queue))


@pytest.mark.parametrize("user", ["client-acme-llp", "team-sydney"])
def test_firms_and_teams_declare_nothing_and_bind_nothing(as_user, user):
    refused(as_user(user), lambda channel: channel.queue_declare(f"{user}.mine", durable=True))
    refused(as_user(user), lambda channel: channel.queue_declare("", exclusive=True))
    refused(as_user(user), lambda channel: channel.exchange_declare("heliograph.requests2", "direct"))
    for exchange in EXCHANGES:
        own = "acme-llp.replies" if user == "client-acme-llp" else "heliograph.team.sydney"
        refused(as_user(user), lambda channel: channel.queue_bind(own, f"heliograph.{exchange}", "beta-llp.replies"))


def test_a_team_reads_its_own_queue_and_answers_by_updates(as_user):
    team, daemon = as_user("team-sydney"), as_user("heliograph")
    publish(daemon, "heliograph.work", "sydney", b"offer")
    assert take(team, "heliograph.team.sydney") == b"offer"
    publish(team, "heliograph.updates", "heliograph.updates", b"accept")
    assert take(daemon, "heliograph.updates") == b"accept"


def test_nobody_publishes_in_anothers_name(as_user):
    forged = pika.BasicProperties(user_id="team-sydney")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        as_user("client-acme-llp").basic_publish("heliograph.updates", "heliograph.updates", b"", forged)
    assert error.value.reply_code == 406


def test_the_definitions_as_shipped_let_nobody_in():
    with RabbitNode() as node:
        node.import_definitions(DEFINITIONS)
        for user in USERS:
            for password in ("", user, "guest"):
                with pytest.raises((pika.exceptions.ProbableAuthenticationError, pika.exceptions.AuthenticationError)):
                    pika.BlockingConnection(pika.URLParameters(node.amqp_url(VHOST, user, password)))


def test_a_password_that_is_short_or_nobodys_is_refused(tmp_path):
    (tmp_path / "short").write_text("hunter2")
    for argument, reason in ((f"heliograph={tmp_path}/short", "at least 16"), (f"mallory={tmp_path}/short", "not in the definitions")):
        run = subprocess.run([sys.executable, FILL_PASSWORDS, argument], capture_output=True, text=True)
        assert run.returncode == 1 and reason in run.stderr and run.stdout == ""


def test_a_message_over_two_mebibytes_is_refused(as_user):
    firm, daemon = as_user("client-acme-llp"), as_user("heliograph")
    publish(firm, "heliograph.requests", "heliograph.requests", b"x" * MAX_MESSAGE_BYTES)
    assert len(take(daemon, "heliograph.requests")) == MAX_MESSAGE_BYTES
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        publish(firm, "heliograph.requests", "heliograph.requests", b"x" * (MAX_MESSAGE_BYTES + 1))
    assert error.value.reply_code == TOO_LARGE


def test_a_request_comes_again_more_often_than_the_default_limit_of_rabbitmq_4(as_user):
    firm, daemon = as_user("client-acme-llp"), as_user("heliograph")
    publish(firm, "heliograph.requests", "heliograph.requests", b"again")
    for _ in range(RABBITMQ_4_DEFAULT_DELIVERY_LIMIT + 5):
        assert take(daemon, "heliograph.requests", settle=lambda tag: daemon.basic_nack(tag, requeue=True)) == b"again"
    assert take(daemon, "heliograph.requests") == b"again"
    assert nothing_in(daemon, "heliograph.rejected")


def test_a_message_that_a_consumer_throws_away_is_found_in_rejected(as_user):
    team, daemon = as_user("team-sydney"), as_user("heliograph")
    publish(daemon, "heliograph.work", "sydney", b"thrown away")
    take(team, "heliograph.team.sydney", settle=lambda tag: team.basic_reject(tag, requeue=False))
    assert take(daemon, "heliograph.rejected") == b"thrown away"


def test_a_request_is_found_in_rejected_while_its_queue_is_missing(as_user):
    firm, daemon = as_user("client-acme-llp"), as_user("heliograph")
    daemon.queue_unbind("heliograph.requests", "heliograph.requests", "heliograph.requests")
    try:
        publish(firm, "heliograph.requests", "heliograph.requests", b"nowhere to go")
        assert take(daemon, "heliograph.rejected") == b"nowhere to go"
    finally:
        daemon.queue_bind("heliograph.requests", "heliograph.requests", "heliograph.requests")


def publish(channel, exchange, key, body, mandatory=True):
    channel.basic_publish(exchange, key, body, pika.BasicProperties(delivery_mode=2), mandatory=mandatory)


def take(channel, queue, settle=None):
    """The body of the next message, acked, or settled as told; fails when none comes."""
    method, _, body = next(channel.consume(queue, inactivity_timeout=DELIVERED_WITHIN_SECONDS))
    assert method is not None, f"no message came from {queue}"
    (settle or channel.basic_ack)(method.delivery_tag)
    channel.cancel()
    return body


def nothing_in(channel, queue):
    method, _, _ = next(channel.consume(queue, inactivity_timeout=QUIET_SECONDS))
    channel.cancel()
    return method is None


def refused(channel, act):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
        act(channel)
    assert error.value.reply_code == REFUSED, error.value
