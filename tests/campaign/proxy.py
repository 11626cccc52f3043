"""A TCP proxy of our own between the daemon and its broker: it cuts, swallows, slices and slows what passes.

It runs in a thread with its own event loop; every method may be called from any thread. A connection that is cut is reset
for both sides; a swallowed one stays open and silent, as one behind a lost route is.
"""

import asyncio
import socket
import struct
import threading

from ports import free_port

READ_BYTES = 65_536
DAEMON, BROKER = "from the daemon", "from the broker"


class Proxy:
    """Listens on `port` and connects to `to`; `close` ends it."""

    def __init__(self, to):
        self.port, self._to = free_port(), to
        self._links, self._swallows = set(), set()
        self._cut_after = self._slice = None
        self._pause = 0.0
        self.passed = {DAEMON: 0, BROKER: 0}
        self.cuts = 0
        self._loop, self._ended = None, None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    # --- what is done to the links ---

    def cut(self):
        """Resets every connection."""
        self._call(self._reset_all)

    def cut_after(self, count, direction):
        """Resets the connection that passes this many bytes more in a direction."""
        self._call(lambda: setattr(self, "_cut_after", [direction, count]))

    def swallow(self, *directions):
        """From now on nothing passes in these directions; with none, all passes again on connections that are new."""

        def change():
            if not directions:
                self._reset_all()
            self._swallows = set(directions)

        self._call(change)

    def slow(self, slice_bytes=None, pause_seconds=0.0):
        """Passes so many bytes at once at most and pauses after each; as it comes without."""
        self._call(lambda: self.__dict__.update(_slice=slice_bytes, _pause=pause_seconds))

    def close(self):
        """Ends it and every connection."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    # --- inside ---

    def _call(self, act):
        done = threading.Event()

        def run():
            act()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _run(self):
        # Its end cancels whatever still passes.
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._ready.set()
        await self._ended.wait()
        server.close()
        self._reset_all()

    async def _accept(self, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        link = (writer, to_writer)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pass(reader, to_writer, DAEMON, link), self._pass(to_reader, writer, BROKER, link)
            )
        except OSError:
            pass  # one side is gone, and so goes the other
        finally:
            self._links.discard(link)
            _reset(link)

    async def _pass(self, reader, writer, direction, link):
        while data := await reader.read(self._slice or READ_BYTES):
            if direction in self._swallows:
                continue
            data = self._until_cut(data, direction, link)
            self.passed[direction] += len(data)
            writer.write(data)
            await writer.drain()
            if self._pause:
                await asyncio.sleep(self._pause)
        writer.close()

    def _until_cut(self, data, direction, link):
        if self._cut_after is None or self._cut_after[0] != direction:
            return data
        self._cut_after[1] -= len(data)
        if self._cut_after[1] > 0:
            return data
        kept = data[: len(data) + self._cut_after[1]]
        self._cut_after = None
        self.cuts += 1
        # What is kept is written first; both ends go once it has left.
        self._loop.call_soon(_reset, link)
        return kept

    def _reset_all(self):
        for link in list(self._links):
            _reset(link)
        self.cuts += len(self._links)


def _reset(link):
    for writer in link:
        handle = writer.get_extra_info("socket")
        if handle is not None and handle.fileno() >= 0:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
