"""A network that tests cut: everything to a port of this machine goes through it, until it is told otherwise."""

import asyncio
import contextlib
import enum
import socket
import struct
import threading


class Network(enum.Enum):
    """What becomes of bytes and connections."""

    WHOLE = "whole"
    SILENT = "silent"
    """Nothing is carried on in either direction; connections are taken, and stand. What waits arrives late."""
    DEAF = "deaf"
    """Half open: what is asked arrives, what is answered waits."""
    RESET = "reset"
    """Every connection is reset, and so is every new one."""


class Proxy:
    """Carries bytes between its own port and another; a context manager."""

    def __init__(self, port: int) -> None:
        self._target, self._network = port, Network.WHOLE
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.become(Network.RESET)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def become(self, network: Network) -> None:
        """Change the network."""
        self._network = network
        if network is Network.RESET:
            self._loop.call_soon_threadsafe(self._reset_all)

    def _reset_all(self) -> None:
        for end in list(self._ends):
            _reset(end)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        async with server:
            await self._stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._network is Network.RESET:
            _reset(writer)
            return
        self._ends.add(writer)
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._ends.add(back)
            asked, answered = {Network.SILENT}, {Network.SILENT, Network.DEAF}
            await asyncio.gather(self._pump(reader, back, asked), self._pump(there, writer, answered))
            self._ends.discard(back)
        self._ends.discard(writer)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, cut: set[Network]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                await self._until_whole(cut)
                sink.write(data)
                await sink.drain()
        await self._until_whole(cut)
        sink.close()

    async def _until_whole(self, cut: set[Network]) -> None:
        while self._network in cut:
            await asyncio.sleep(0.02)


def _reset(end: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an orderly end."""
    with contextlib.suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
