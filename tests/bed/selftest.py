"""The test bed's own test: what it starts works, stays on loopback and leaves nothing behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pika
import pytest
from node import NodeError, RabbitNode
from ports import is_loopback, listening_addresses
from prometheus import Prometheus, PrometheusError, promtool

HERE = Path(__file__).resolve().parent
GONE_WITHIN_SECONDS = 15
POLICY = Path("/usr/sbin/policy-rc.d")


@pytest.fixture(scope="module")
def node():
    with RabbitNode() as node:
        yield node


def test_a_message_confirmed_by_a_quorum_queue_outlives_a_kill_of_the_node():
    with RabbitNode() as node:
        vhost = node.fresh_vhost()
        with pika.BlockingConnection(pika.URLParameters(node.amqp_url(vhost))) as connection:
            channel = connection.channel()
            channel.queue_declare("requests", durable=True, arguments={"x-queue-type": "quorum"})
            channel.confirm_delivery()
            channel.basic_publish("", "requests", b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)
        node.sync_queue_metadata()
        before = node.pid
        node.kill()
        node.restart()
        assert node.pid != before
        with pika.BlockingConnection(pika.URLParameters(node.amqp_url(vhost))) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1)
            method, _, body = next(channel.consume("requests", inactivity_timeout=20))
            assert body == b"kept"
            channel.basic_ack(method.delivery_tag)


def test_every_socket_of_the_node_is_on_loopback(node):
    sockets = listening_addresses(node.processes())
    assert node.port in {port for _, port in sockets}
    assert [pair for pair in sockets if not is_loopback(pair[0])] == []


def test_an_address_off_loopback_is_told_from_one_on_it():
    assert is_loopback("0100007F") and is_loopback("0" * 24 + "01000000") and is_loopback("0" * 16 + "FFFF00000100007F")
    assert not is_loopback("00000000") and not is_loopback("0" * 32) and not is_loopback("0101A8C0")


def test_fresh_vhosts_are_distinct_and_usable(node):
    names = [node.fresh_vhost() for _ in range(12)]
    assert len(set(names)) == 12
    for name in (names[0], names[-1]):
        pika.BlockingConnection(pika.URLParameters(node.amqp_url(name))).close()


def test_a_user_has_the_permissions_it_was_given_and_no_others(node):
    vhost = node.fresh_vhost()
    node.add_user("writer", "secret")
    node.set_permissions(vhost, "writer", configure="^$", write="^allowed$", read="^$")
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url(vhost, "writer", "secret"))) as connection:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            connection.channel().queue_declare("other")
        assert refused.value.reply_code == 403


def test_the_size_limit_is_the_one_asked_for():
    with RabbitNode(max_message_size=1000) as node:
        with pika.BlockingConnection(pika.URLParameters(node.amqp_url())) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("amq.topic", "x", b"x" * 1000)
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
                channel.basic_publish("amq.topic", "x", b"x" * 1001)
            assert refused.value.reply_code == 406


def test_rabbitmqctl_reports_failure(node):
    with pytest.raises(NodeError, match="no_such_vhost|does not exist|not found"):
        node.rabbitmqctl("delete_vhost", "no-such-vhost")


def test_nothing_is_left_when_the_block_ends():
    with RabbitNode() as node:
        pids = node.processes()
        folder = _folder(pids)
        assert node.pid in pids
    assert [pid for pid in pids if _is_alive(pid)] == []
    assert not folder.exists()


def test_nothing_is_left_running_when_the_harness_is_killed():
    program = "import time, node\nwith node.RabbitNode() as n:\n print(*n.processes(), flush=True)\n time.sleep(600)"
    harness = subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in harness.stdout.readline().split()]
    folder = _folder(pids)
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert len(pids) >= 2
    _await_gone(pids)
    shutil.rmtree(folder)


def test_with_node_gives_vhosts_and_returns_the_exit_code():
    program = """
import os, pathlib, sys, pika
folder = pathlib.Path(os.environ["HELIOGRAPH_TEST_VHOSTS"])
names = sorted(path.name for path in folder.iterdir())
assert names == ["t01", "t02", "t03"], names
(folder / "t02").unlink()
for variable in ("HELIOGRAPH_TEST_AMQP", "HELIOGRAPH_TEST_AMQP_FIRM", "HELIOGRAPH_TEST_AMQP_SYDNEY_LIT"):
    pika.BlockingConnection(pika.URLParameters(os.environ[variable] + "/t02")).close()
print(os.environ["HELIOGRAPH_TEST_NODE_PID"], folder)
sys.exit(7)
"""
    run = subprocess.run(
        [sys.executable, HERE / "with_node.py", "--vhosts", "3", "--user", "sydney-lit", sys.executable, "-c", program],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 7, run.stderr
    pid, folder = run.stdout.split()
    assert not _is_alive(int(pid))
    assert not Path(folder).exists()


def test_prometheus_scrapes_its_target_on_loopback_and_leaves_nothing():
    with Prometheus() as target, Prometheus({"sample": [f"127.0.0.1:{target.port}"]}) as prometheus:
        assert prometheus.await_query('up{job="sample"} == 1')
        sockets = listening_addresses([prometheus.pid])
        assert [pair for pair in sockets if not is_loopback(pair[0])] == [] and len(sockets) == 1
        pids = [target.pid, prometheus.pid]
    assert [pid for pid in pids if _is_alive(pid)] == []


def test_prometheus_tells_expressions_that_parse_from_those_that_do_not():
    with Prometheus() as prometheus:
        assert prometheus.format_query("sum by(x)(up)") == "sum by (x) (up)"
        with pytest.raises(PrometheusError, match="parse error"):
            prometheus.format_query("sum by (")


def test_promtool_runs():
    assert promtool("check", "metrics", stdin="# HELP x_seconds A help.\n# TYPE x_seconds gauge\nx_seconds 1\n").returncode == 0
    assert promtool("check", "metrics", stdin="x_seconds 1\n").returncode != 0


def test_the_installed_broker_runs_nowhere_but_in_tests():
    assert [pid for pid in _all_pids() if b"rabbit" in _command(pid) and b"/var/lib/rabbitmq" in _command(pid)] == []
    assert not POLICY.exists() or "heliograph test bed" not in POLICY.read_text()


def _all_pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _folder(pids):
    return Path(os.readlink(f"/proc/{min(pids)}/cwd"))


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _await_gone(pids):
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while (left := [pid for pid in pids if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
