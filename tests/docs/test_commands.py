"""Every `sh` block of every document is run, or stands in a list here that says what is checked instead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployed import DeployedBroker
from documents import ROOT, Block, BlockFailed, all_blocks, blocks, environment, run, run_until
from postgres import PostgresServer
from program import Program, binary

# A block is known by its document and first line.
PLAIN = {
    ("README.md", "heliograph route --at 2026-11-24T15:00:00Z - <<'END'"),
    ("README.md", "heliograph token ops-desk operate"),
}
# In the order of the document, against a demo whose clock starts in New York's morning.
WITH_A_DEMO = {
    ("README.md", "heliograph submit - <<'END'"),
    ("README.md", "heliograph update acme-llp/req-2026-000123 amend --consent C-77 --reason \"the client agreed by phone\""),
}
# Runs until it is stopped: the line that it must come to. The store is in a folder of its own and the port is a free one.
UNTIL_STOPPED = {
    ("README.md", "heliograph check --settings config/heliograph.toml"): "listening on http://",
    ("README.md", "HELIOGRAPH__AMQP__URL='amqp://heliograph:PASSWORD@127.0.0.1:5672/heliograph' \\"): "listening on http://",
    ("README.md", "HELIOGRAPH__STORE__POSTGRES='postgresql://heliograph:PASSWORD@127.0.0.1:5432/heliograph' \\"): "listening on http://",
    ("README.md", "make run"): "  admitted  ",
}
WITH_A_DAEMON_ON_RABBITMQ = {("README.md", "python3 - <<'END'")}
# Not run here: for each the reason. Checked instead: make knows the target and what it would do.
ONLY_LOOKED_AT = {
    ("README.md", "make test"): "it runs these tests",
    ("README.md", "make bench"): "it takes minutes and measures the machine",
}
LISTS = (PLAIN, WITH_A_DEMO, UNTIL_STOPPED, WITH_A_DAEMON_ON_RABBITMQ, ONLY_LOOKED_AT)
MORNING_IN_NEW_YORK = "2026-11-24T15:00:00Z"
FREE_PORT = "127.0.0.1:0"


def key(block):
    return block.document, block.text.splitlines()[0]


def listed(chosen):
    return [block for block in all_blocks() if key(block) in chosen]


def each(chosen):
    return pytest.mark.parametrize("block", listed(chosen), ids=str)


def not_in_exactly_one_list(found):
    return [str(block) for block in found if sum(key(block) in chosen for chosen in LISTS) != 1]


def folders():
    return binary("debug", "release").parent, Path(sys.executable).parent


def of_the_broker(text, broker):
    """The one substitution: address and password of the private node for those that the documents name."""
    for user, password in broker.passwords.items():
        text = text.replace(f"{user}:PASSWORD@127.0.0.1:5672", f"{user}:{password}@127.0.0.1:{broker.node.port}")
    return text


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_in_the_repository():
    before = set(os.listdir(ROOT))
    yield
    assert set(os.listdir(ROOT)) - before - {"target"} == set()


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def broker():
    with DeployedBroker() as broker:
        yield broker


def test_every_block_is_in_exactly_one_list():
    found = all_blocks()
    assert found and not_in_exactly_one_list(found) == []


def test_no_list_names_a_block_that_no_document_has():
    assert set().union(*LISTS) == {key(block) for block in all_blocks()}


@each(PLAIN)
def test_a_block_that_needs_nothing(block):
    assert run(block.text, environment(folders()))


def test_the_blocks_that_need_a_daemon_tell_one_story(tmp_path):
    arguments = ("--listen", FREE_PORT, "--data", str(tmp_path), "--at", MORNING_IN_NEW_YORK)
    with Program(binary("debug", "release"), "demo", *arguments) as demo:
        printed = [run(block.text, environment(folders(), HELIOGRAPH_URL=demo.url)) for block in listed(WITH_A_DEMO)]
    readme = (ROOT / "README.md").read_text()
    shown = [block.text for block in blocks("README.md", readme) if "cannot take" in block.text]
    assert all(printed) and shown and all(text in printed[0] for text in shown), printed


@each(UNTIL_STOPPED)
def test_a_block_that_runs_until_it_is_stopped(block, tmp_path, request):
    text = block.text
    if "postgresql://" in text:
        server = request.getfixturevalue("postgres")
        text = text.replace("postgresql://heliograph:PASSWORD@127.0.0.1:5432/heliograph", server.url("postgres"))
    elif "PASSWORD@" in text:
        text = of_the_broker(text, request.getfixturevalue("broker"))
    if text.startswith("make run"):
        text = text.replace("make run", f"make run LISTEN={FREE_PORT}")
    settings = {"HELIOGRAPH__STORE__PATH": str(tmp_path / "heliograph.db"), "HELIOGRAPH__HTTP__LISTEN": FREE_PORT}
    run_until(text, environment(folders(), **settings), UNTIL_STOPPED[key(block)])


@each(WITH_A_DAEMON_ON_RABBITMQ)
def test_a_block_that_speaks_to_rabbitmq(block, broker, tmp_path):
    settings = {
        "HELIOGRAPH__AMQP__URL": broker.url("heliograph"),
        "HELIOGRAPH__HTTP__LISTEN": FREE_PORT,
        "HELIOGRAPH__ROSTER__PATH": str(ROOT / "config/roster.toml"),
        "HELIOGRAPH__STORE__PATH": str(tmp_path / "heliograph.db"),
    }
    with Program(binary("debug", "release"), "serve", settings=settings):
        printed = run(of_the_broker(block.text, broker), environment(folders()))
    assert '"acme-llp/req-77"' in printed


@each(ONLY_LOOKED_AT)
def test_a_block_that_is_not_run_names_a_target_that_make_knows(block):
    assert ONLY_LOOKED_AT[key(block)]
    make, target = block.text.split()
    dry = subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert dry.returncode == 0 and dry.stdout.strip(), dry.stderr


FAKE = "# A page\n\n```sh\nheliograph frobnicate\n```\n\n```text\nnot run\n```\n"


def test_a_block_of_a_page_is_found_with_its_place():
    assert blocks("page.md", FAKE)[0] == Block("page.md", 3, "sh", "heliograph frobnicate\n")


def test_a_block_that_is_in_no_list_is_named():
    assert not_in_exactly_one_list(blocks("page.md", FAKE)[:1]) == ["page.md:3"]


def test_a_language_that_hides_a_command_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("```bash\nrm -r /\n```\n")
    with pytest.raises(BlockFailed, match="language 'bash'"):
        all_blocks(tmp_path)


@pytest.mark.parametrize("text", ["heliograph frobnicate", "false\ntrue", "false | cat", 'echo "$NOT_SET"'])
def test_a_block_that_fails_anywhere_fails(text):
    with pytest.raises(BlockFailed):
        run(text, environment(folders()))


def test_a_block_that_ends_before_its_line_fails():
    with pytest.raises(BlockFailed, match="without a line with 'listening'"):
        run_until("echo something else", environment(folders()), "listening")
