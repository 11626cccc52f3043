#!/usr/bin/env python3
"""Runs a command with one shared RabbitMQ node and one PostgreSQL server: `python3 tests/bed/with_node.py cargo nextest run`.

The command finds in its environment:
  HELIOGRAPH_TEST_AMQP         amqp://heliograph:PASSWORD@127.0.0.1:PORT, a user with full permissions in every test vhost
  HELIOGRAPH_TEST_AMQP_FIRM    the same for the user `firm`
  HELIOGRAPH_TEST_VHOSTS       a folder with one empty file per virtual host; a test claims a host of its own by unlinking
                               its file: the one process whose unlink succeeds owns it
  HELIOGRAPH_TEST_NODE_PID     the broker's process id
  HELIOGRAPH_TEST_POSTGRES     postgresql://heliograph@127.0.0.1:PORT, a user that may make databases; a test makes its own

Promises: the exit code is the command's (128 + n when signal n ended it); no process and no file of either is left.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from node import RabbitNode
from postgres import PostgresServer

VHOSTS = 60
END_COMMAND_WITHIN_SECONDS = 10


def main():
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    users = {name: secrets.token_hex(16) for name in ("heliograph", "firm", *arguments.user)}
    vhosts = [f"t{n:02}" for n in range(1, arguments.vhosts + 1)]
    with RabbitNode() as node, PostgresServer() as postgres, tempfile.TemporaryDirectory(prefix="heliograph-vhosts-") as folder:
        node.prepare(vhosts, users)
        for vhost in vhosts:
            (Path(folder) / vhost).touch()
        environment = dict(os.environ, HELIOGRAPH_TEST_VHOSTS=folder, HELIOGRAPH_TEST_NODE_PID=str(node.pid))
        environment["HELIOGRAPH_TEST_POSTGRES"] = postgres.url("").rstrip("/")
        for user, password in users.items():
            name = "HELIOGRAPH_TEST_AMQP" + ("" if user == "heliograph" else "_" + user.upper().replace("-", "_"))
            environment[name] = f"amqp://{user}:{password}@127.0.0.1:{node.port}"
        return _run(arguments.command, environment)


def _arguments():
    parser = argparse.ArgumentParser(description="runs a command with one shared RabbitMQ node and one PostgreSQL server")
    parser.add_argument("--vhosts", type=int, default=VHOSTS, help=f"how many test vhosts to make (default {VHOSTS})")
    parser.add_argument("--user", action="append", default=[], help="one more user; its address is in HELIOGRAPH_TEST_AMQP_<USER>")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("name the command to run")
    return arguments


def _run(command, environment):
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        print(f"with_node: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        try:
            child.wait(END_COMMAND_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
