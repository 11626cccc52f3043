"""The real daemon on a node with the deployed definitions, as the user with least permissions, and what its users meet."""

import json
import os
import subprocess
import time
import tomllib
import urllib.error
import urllib.request

import pika
import pytest
from conftest import DEPLOY, ROOT, VHOST
from program import Program, binary, without_settings

ROSTER = ROOT / "config/roster.toml"
DEFINITIONS = json.loads((DEPLOY / "rabbitmq/definitions.json").read_text())
FAILED = 1
ANSWERED_WITHIN_SECONDS = 30
REFUSED_WITHIN_SECONDS = 60
POLL_SECONDS = 0.05


def settings(broker, folder, topology):
    return {
        "HELIOGRAPH__AMQP__URL": broker.url("heliograph"),
        "HELIOGRAPH__AMQP__TOPOLOGY": topology,
        "HELIOGRAPH__HTTP__LISTEN": "127.0.0.1:0",
        "HELIOGRAPH__ROSTER__PATH": str(ROSTER),
        "HELIOGRAPH__STORE__PATH": str(folder / "heliograph.db"),
    }


def serve(broker, folder, topology):
    return Program(binary("debug", "release"), "serve", settings=settings(broker, folder, topology))


def team_queues():
    teams = tomllib.loads(ROSTER.read_text())["teams"]
    return {f"heliograph.team.{team['id']}" for team in teams if team.get("delivery", "queue") == "queue"}


def names(definitions, kind):
    return {thing["name"] for thing in definitions[kind] if thing["vhost"] == VHOST}


def bindings(definitions):
    found = [binding for binding in definitions["bindings"] if binding["vhost"] == VHOST]
    return {(binding["source"], binding["destination"], binding["routing_key"]) for binding in found}


@pytest.fixture(scope="module")
def declared(broker, tmp_path_factory):
    """What the node has after a daemon has declared everything and has ended."""
    folder = tmp_path_factory.mktemp("declare")
    with serve(broker, folder, "declare") as program:
        assert ready(program)
    return broker.node.export_definitions()


@pytest.fixture
def firm(broker):
    with broker.connect("client-acme-llp") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def test_a_daemon_that_declares_adds_the_queues_of_teams_and_nothing_else(declared):
    assert names(declared, "exchanges") == names(DEFINITIONS, "exchanges")
    assert names(declared, "queues") == names(DEFINITIONS, "queues") | team_queues()
    of_teams = {("heliograph.work", queue, queue.removeprefix("heliograph.team.")) for queue in team_queues()}
    assert bindings(declared) == bindings(DEFINITIONS) | of_teams


def test_a_daemon_that_checks_finds_everything_in_place(declared, broker, tmp_path):
    with serve(broker, tmp_path, "check") as program:
        assert ready(program)


def test_a_daemon_that_checks_names_the_queue_that_is_missing(declared, broker, tmp_path):
    queue = "heliograph.team.sydney"
    with broker.connect("heliograph") as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        run = subprocess.run(
            [binary("debug", "release"), "serve"],
            env={**without_settings(os.environ), **settings(broker, tmp_path, "check")},
            capture_output=True,
            text=True,
            timeout=REFUSED_WITHIN_SECONDS,
        )
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(queue, "heliograph.work", "sydney")
    assert run.returncode == FAILED and f"queue `{queue}`: it does not exist" in run.stderr, run.stderr


def test_a_firm_gets_a_receipt_and_its_events_and_a_forged_request_is_found_in_rejected(declared, broker, firm, tmp_path):
    with serve(broker, tmp_path, "check"):
        publish(firm, request("acme-llp"), user_id="client-acme-llp")
        receipt = take(firm, "acme-llp.replies")
        assert receipt["task"] == "acme-llp/req-1", receipt
        events = [take(firm, "acme-llp.events")["type"] for _ in range(2)]
        assert events[0] == "task.admitted", events
        publish(firm, request("hudson-bank"), user_id="client-acme-llp")
        publish(firm, request("acme-llp"), user_id=None)
        for _ in range(2):
            assert rejected(broker)["code"] == "identity"


def request(client):
    return {
        "id": "req-1",
        "client": client,
        "matter": "M-1",
        "work_type": "document_review",
        "jurisdiction": "US-NY",
        "specialty": "litigation",
        "effort_minutes": 30,
        "payload": {},
    }


def publish(channel, request, user_id):
    properties = pika.BasicProperties(
        delivery_mode=2, content_type="application/json", user_id=user_id, reply_to="acme-llp.replies"
    )
    channel.basic_publish("heliograph.requests", "heliograph.requests", json.dumps(request), properties, mandatory=True)


def take(channel, queue):
    method, _, body = next(channel.consume(queue, inactivity_timeout=ANSWERED_WITHIN_SECONDS))
    assert method is not None, f"no message came from {queue}"
    channel.basic_ack(method.delivery_tag)
    channel.cancel()
    return json.loads(body)


def rejected(broker):
    with broker.connect("heliograph") as connection:
        channel = connection.channel()
        method, properties, _ = next(channel.consume("heliograph.rejected", inactivity_timeout=ANSWERED_WITHIN_SECONDS))
        assert method is not None, "no message came from heliograph.rejected"
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        return json.loads(properties.headers["x-heliograph-reason"])


def ready(program):
    """Whether the daemon gets ready: it listens while it still connects its consumer."""
    deadline = time.monotonic() + ANSWERED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{program.url}/readyz", timeout=ANSWERED_WITHIN_SECONDS) as answer:
                return json.load(answer)["ready"]
        except urllib.error.HTTPError as error:
            last = error.read().decode()
        time.sleep(POLL_SECONDS)
    raise AssertionError(last)
