"""Free ports on loopback for servers that tests start, and what a process listens on.

Ports come from below the range that the kernel hands out by itself, so that no outgoing connection and no test that binds
port 0 can take one while its server is down between a stop and a restart.
"""

import os
import random
import socket
from pathlib import Path

FIRST_PORT = 20_000
LAST_PORT = 31_999
TRIES = 200
TCP_LISTEN = "0A"
IPV6_LOOPBACK = "00000000000000000000000001000000"
IPV4_IN_IPV6 = "0000000000000000FFFF0000"

_given = set()


def free_port():
    """A port of 127.0.0.1 that nobody listens on and that this process has not given out before."""
    for _ in range(TRIES):
        port = random.randint(FIRST_PORT, LAST_PORT)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port between {FIRST_PORT} and {LAST_PORT} in {TRIES} tries")


def listening_addresses(pids):
    """The (address, port) pairs, as hexadecimal address and number, of every TCP socket that the processes listen on."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == TCP_LISTEN and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def is_loopback(address):
    """Whether a hexadecimal address of /proc/net lies in 127.0.0.0/8 or is ::1."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == IPV6_LOOPBACK or (address.startswith(IPV4_IN_IPV6) and address.endswith("7F"))


def _socket_inodes(pid):
    folder = Path(f"/proc/{pid}/fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(folder / name)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
