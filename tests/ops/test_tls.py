"""The daemon and its broker over `amqps`: what connects, and what is refused in words that say what to mend."""

import json
import os
import subprocess
import urllib.request
from urllib.parse import quote

import pika
import pytest
from certificates import Authority
from conftest import ROOT
from node import RabbitNode
from program import Program, binary, without_settings

ROSTER = ROOT / "config/roster.toml"
FAILED, CONFIGURATION = 1, 78
SOON_SECONDS = 30
REFUSED_WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def strict():
    """A node that lets nobody in without a certificate."""
    with RabbitNode(tls="required") as node:
        yield node


@pytest.fixture(scope="module")
def open_to_all():
    """A node that asks for a certificate and takes a password alone."""
    with RabbitNode(tls="optional") as node:
        yield node


@pytest.fixture(scope="module")
def client(strict):
    """The daemon's certificate, signed by the authority that the strict node trusts."""
    return strict.authority.client("daemon")


def settings_file(folder, url, ca_file=None, identity=None):
    """A settings file as an operator writes it."""
    tls = [f'ca_file = "{ca_file}"'] if ca_file else []
    if identity:
        tls += [f'certificate_file = "{identity.certificate}"', f'key_file = "{identity.key}"']
    lines = [
        f'[store]\npath = "{folder}/heliograph.db"',
        f'[roster]\npath = "{ROSTER}"',
        '[http]\nlisten = "127.0.0.1:0"',
        f'[amqp]\nurl = "{url}"\nrequire_user_id = false',
        *(["[amqp.tls]", *tls] if tls else []),
    ]
    path = folder / "heliograph.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def take_a_request(node, settings):
    """Runs a daemon that must make a task of a request published beside it; what the broker knows of its connections."""
    with Program(binary("debug", "release"), "serve", "--settings", str(settings)) as program:
        with pika.BlockingConnection(pika.URLParameters(node.amqp_url())) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("receipts", exclusive=True)
            channel.queue_bind("receipts", "heliograph.replies", "acme-llp.test")
            properties = pika.BasicProperties(content_type="application/json", reply_to="acme-llp.test")
            name = "heliograph.requests"
            channel.basic_publish(name, name, json.dumps(REQUEST), properties, mandatory=True)
            method, _, receipt = next(channel.consume("receipts", inactivity_timeout=SOON_SECONDS))
        assert method is not None, f"no receipt\n{program.errors()}"
        task = json.loads(receipt)["task"]
        with urllib.request.urlopen(f"{program.url}/api/v1/tasks/{quote(task, safe='')}", timeout=SOON_SECONDS) as answer:
            assert json.load(answer)["id"] == task
        listed = node.rabbitmqctl("list_connections", "--quiet", "--no-table-headers", "ssl", "peer_cert_subject")
        return [line.split("\t") for line in listed.splitlines()]


REQUEST = {
    "id": "req-tls",
    "client": "acme-llp",
    "matter": "M-1",
    "work_type": "document_review",
    "jurisdiction": "US-NY",
    "specialty": "litigation",
    "effort_minutes": 30,
    "payload": {},
}


def refusal(node, settings, exit_code=FAILED):
    """What a daemon says that does not start; never the password."""
    run = subprocess.run(
        [binary("debug", "release"), "serve", "--settings", settings],
        env=without_settings(os.environ),
        capture_output=True,
        text=True,
        timeout=REFUSED_WITHIN_SECONDS,
    )
    assert run.returncode == exit_code, (run.returncode, run.stderr)
    assert node.password not in run.stderr + run.stdout
    assert run.stdout == ""
    return run.stderr.strip().splitlines()[-1]


def test_it_takes_a_request_when_both_sides_show_certificates(strict, client, tmp_path):
    settings = settings_file(tmp_path, strict.amqps_url(), strict.authority.file, client)
    connections = take_a_request(strict, settings)
    assert connections and all(connection == ["true", "CN=daemon"] for connection in connections), connections


def test_it_takes_a_request_when_only_the_broker_shows_a_certificate(open_to_all, tmp_path):
    settings = settings_file(tmp_path, open_to_all.amqps_url(), open_to_all.authority.file)
    connections = take_a_request(open_to_all, settings)
    assert connections and all(connection == ["true", ""] for connection in connections), connections


def test_it_refuses_a_broker_whose_authority_it_does_not_trust(strict, client, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    said = refusal(strict, settings_file(tmp_path, strict.amqps_url(), stranger.file, client))
    assert f"localhost:{strict.tls_port}" in said and "amqp.tls.ca_file" in said, said


def test_it_refuses_a_broker_with_a_certificate_for_another_host(strict, client, tmp_path):
    url = strict.amqps_url(host="127.0.0.1")
    said = refusal(strict, settings_file(tmp_path, url, strict.authority.file, client))
    assert f"127.0.0.1:{strict.tls_port}" in said and "not valid for name" in said, said


def test_it_says_so_when_the_broker_asks_for_a_certificate_that_it_does_not_have(strict, tmp_path):
    said = refusal(strict, settings_file(tmp_path, strict.amqps_url(), strict.authority.file))
    assert "amqp.tls.certificate_file" in said, said


def test_it_says_so_when_the_broker_does_not_trust_its_certificate(strict, tmp_path):
    stranger = Authority(tmp_path, "stranger").client("nobody")
    said = refusal(strict, settings_file(tmp_path, strict.amqps_url(), strict.authority.file, stranger))
    assert "amqp.tls.certificate_file" in said, said


def test_a_file_that_cannot_be_used_is_named_by_its_setting(strict, client, tmp_path):
    url, authority = strict.amqps_url(), strict.authority.file
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    other = Authority(tmp_path, "stranger").client("other")
    for setting, ca_file, identity in [
        ("amqp.tls.ca_file", tmp_path / "missing.pem", client),
        ("amqp.tls.ca_file", empty, client),
        ("amqp.tls.certificate_file", authority, client._replace(certificate=empty)),
        ("amqp.tls.key_file", authority, client._replace(key=tmp_path / "missing.key")),
        ("amqp.tls.key_file", authority, client._replace(key=empty)),
        ("amqp.tls.key_file", authority, client._replace(key=other.key)),
    ]:
        said = refusal(strict, settings_file(tmp_path, url, ca_file, identity))
        assert f"{setting} = " in said, said


def test_plain_amqp_to_another_machine_is_refused_by_the_settings(strict, tmp_path):
    url = f"amqp://user:{strict.password}@192.0.2.1:5672/%2f"
    said = refusal(strict, settings_file(tmp_path, url), CONFIGURATION)
    assert "amqps://" in said and "amqp.allow_plain_remote" in said and "192.0.2.1" in said, said


def test_encrypted_amqp_to_a_plain_listener_is_an_error_that_ends(strict, tmp_path):
    url = strict.amqps_url().replace(str(strict.tls_port), str(strict.port))
    said = refusal(strict, settings_file(tmp_path, url, strict.authority.file))
    assert f"localhost:{strict.port}" in said, said
