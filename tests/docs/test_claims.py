"""What the documents say of files, commands, addresses and users, against the files and the program."""

import json
import re
import subprocess
import tomllib
from datetime import datetime, timedelta

import pytest
from documents import ROOT, documents
from program import binary

README = (ROOT / "README.md").read_text()
LINK = re.compile(r"\]\(([^)#:]+)\)")
NAMED_FILE = re.compile(r"`((?:src|tests|deploy|config|benches)/[\w./-]+)`")


def output(*arguments):
    return subprocess.run([binary("debug", "release"), *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("document", documents(), ids=str)
def test_every_file_that_a_document_names_exists(document):
    text = (ROOT / document).read_text()
    for name in LINK.findall(text):
        assert (ROOT / document).parent.joinpath(name).exists(), name
    for name in NAMED_FILE.findall(text):
        assert (ROOT / name).exists(), name


def test_the_readme_lists_every_command_and_no_other():
    help_text = output("--help")
    commands = set(re.findall(r"^  ([a-z-]+)  ", help_text, re.MULTILINE)) - {"help"}
    table = README.split("## Commands", 1)[1].split("\n## ", 1)[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {command for cell in first_cells for command in re.findall(r"`([a-z-]+)", cell)} == commands


def test_the_readme_lists_every_address():
    paths = json.loads(output("schema", "openapi"))["paths"]
    table = README.split("## HTTP", 1)[1].split("\n## ", 1)[0]
    for path in paths:
        assert path in table or path.startswith("/api/v1/tasks/{id}/") and f"`{path.removeprefix('/api/v1/tasks/{id}')}`" in table, path


def test_the_readmes_permissions_are_those_of_the_definitions():
    definitions = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text())
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in README.splitlines() if line.startswith("| `")]
    told = {row[0].split("`")[1]: [cell.strip("`").replace("\\|", "|") for cell in row[1:]] for row in rows if len(row) == 4}
    for permission in definitions["permissions"]:
        assert told[permission["user"]] == [permission[kind] for kind in ("configure", "write", "read")]
    assert all(f"`{exchange['name']}`" in README for exchange in definitions["exchanges"])


def test_the_readmes_receiving_limits_are_those_of_the_settings_file():
    settings = (ROOT / "config/heliograph.toml").read_text()
    defaults = dict(re.findall(r"^(\w+) = (\d+)", settings, re.MULTILINE))
    for name, shown in [("max_open_tasks", "1,000,000"), ("batch", "512"), ("prefetch", "1,000")]:
        assert f"{int(defaults[name]):,}" == shown and re.search(rf"\.{name}`, {shown}", README), name
    for name, mebibytes in [("publish_in_flight_bytes", 64), ("max_body_bytes", 8)]:
        assert int(defaults[name]) == mebibytes << 20 and re.search(rf"\.{name}`, {mebibytes} MiB", README), name


def test_the_readmes_sample_of_the_demo_starts_when_the_demo_does():
    starts_at = datetime.fromisoformat(re.search(r"^AT *:= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1])
    shown = re.findall(r"^(\w{3}) ([\d:]+)Z  (?:admitted|offered|accepted)  +([\w-]+)/", README, re.MULTILINE)
    roster = tomllib.loads((ROOT / "config/roster.toml").read_text())
    clients = {client["id"] for client in roster["clients"]}
    assert f"roster of {len(roster['teams'])} teams" in README
    assert len(shown) > 3
    for day, time, client in shown:
        assert starts_at.strftime("%a") == day and client in clients
        at = datetime.combine(starts_at.date(), datetime.strptime(time, "%H:%M:%S").time(), starts_at.tzinfo)
        assert starts_at <= at < starts_at + timedelta(minutes=15), time
