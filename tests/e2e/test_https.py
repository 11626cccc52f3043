"""The daemon over TLS: who is trusted on each side, certificates that change while it runs, and commands that speak https."""

import http.client
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from certificates import Authority
from daemon import BINARY, ROSTER, eventually
from program import Program, without_settings

CONFIGURATION = 78


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "own")


@pytest.fixture
def server(authority):
    return authority.server("server", "IP:127.0.0.1", "DNS:localhost")


def settings(folder, server, client_ca_file=None):
    certificates = {"CERTIFICATE_FILE": server.certificate, "KEY_FILE": server.key}
    if client_ca_file:
        certificates["CLIENT_CA_FILE"] = client_ca_file
    return {
        "HELIOGRAPH__STORE__PATH": f"{folder}/heliograph.db",
        "HELIOGRAPH__ROSTER__PATH": str(ROSTER),
        "HELIOGRAPH__HTTP__LISTEN": "127.0.0.1:0",
        **{f"HELIOGRAPH__HTTP__TLS__{key}": str(path) for key, path in certificates.items()},
    }


def served(folder, server, client_ca_file=None):
    return Program(BINARY, "serve", settings=settings(folder, server, client_ca_file))


def trusting(authority, identity=None):
    context = ssl.create_default_context(cafile=authority.file)
    if identity:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


def get(program, context):
    with urllib.request.urlopen(program.url + "/livez", context=context, timeout=30) as answer:
        return answer.status


def serial(program, authority):
    """The number of the certificate that it shows."""
    port = int(program.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        with trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
            return secured.getpeercert()["serialNumber"]


def heliograph(program, *arguments):
    command = [BINARY, *arguments, "--url", program.url]
    return subprocess.run(command, env=without_settings(os.environ), capture_output=True, text=True, timeout=60)


def test_it_is_reached_over_tls_by_those_who_trust_its_authority_and_not_in_clear(tmp_path, authority, server):
    with served(tmp_path, server) as program:
        assert program.url.startswith("https://")
        assert get(program, trusting(authority)) == 200
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            get(program, trusting(Authority(tmp_path, "stranger")))
        with pytest.raises(http.client.BadStatusLine):  # an alert is no answer
            urllib.request.urlopen(program.url.replace("https", "http") + "/livez", timeout=30)
        assert heliograph(program, "healthcheck", "--ca-file", authority.file).returncode == 0
        assert heliograph(program, "tasks", "--ca-file", authority.file).returncode == 0
        for untrusted in (["--ca-file", tmp_path / "stranger.pem"], []):
            assert heliograph(program, "tasks", *untrusted).returncode in (1, 69)


def test_it_wants_a_certificate_of_its_callers_when_an_authority_is_named(tmp_path, authority, server):
    identity, stranger = authority.client("caller"), Authority(tmp_path, "stranger").client("other")
    with served(tmp_path, server, authority.file) as program:
        assert get(program, trusting(authority, identity)) == 200
        for nobody in (None, stranger):
            with pytest.raises((urllib.error.URLError, OSError)):
                get(program, trusting(authority, nobody))
        trust = ["--ca-file", authority.file]
        shown = ["--certificate-file", identity.certificate, "--key-file", identity.key]
        assert heliograph(program, "tasks", *trust, *shown).returncode == 0
        refused = heliograph(program, "tasks", *trust)
        assert refused.returncode == 69, refused
        assert heliograph(program, "tasks", *trust, *shown[:2]).returncode == 2


def test_another_certificate_comes_into_force_on_sighup_and_a_faulty_one_does_not(tmp_path, authority, server):
    with served(tmp_path, server) as program:
        before = serial(program, authority)
        authority.server("server", "IP:127.0.0.1")  # in the place of the other
        program.hang_up()
        eventually(lambda: serial(program, authority) != before)
        after = serial(program, authority)
        server.key.write_text("canary")
        program.hang_up()
        eventually(lambda: "http.tls.key_file" in program.log())
        assert serial(program, authority) == after
        assert "canary" not in program.log()


@pytest.mark.parametrize("setting", ["CERTIFICATE_FILE", "KEY_FILE", "CLIENT_CA_FILE"])
def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path, authority, server, setting):
    broken = tmp_path / "broken.pem"
    broken.write_text("canary")
    environment = {**without_settings(os.environ), **settings(tmp_path, server, authority.file)}
    environment[f"HELIOGRAPH__HTTP__TLS__{setting}"] = str(broken)
    for command in ("serve", "check"):
        run = subprocess.run([BINARY, command], env=environment, capture_output=True, text=True, timeout=60)
        assert run.returncode == CONFIGURATION, run
        said = run.stdout + run.stderr
        assert f"http.tls.{setting.lower()} = " in said and "canary" not in said, said
