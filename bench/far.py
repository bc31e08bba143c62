"""A server some way off: a proxy on loopback that holds every packet back for half of a round trip each way, and may be
slow in taking what is sent there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def far(port: int, seconds: float, rate: float = 0) -> Iterator[int]:
    """Gives the port at which the server on ``port`` answers with this round trip time.

    Args:
        rate: bytes per second that all connections together may send there; 0 for as many as they like.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(port, seconds / 2, Line(rate)), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(port: int, delay: float, line: Line) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            with suppress(asyncio.CancelledError):
                await asyncio.gather(_carry(reader, back, delay, line), _carry(there, writer, delay, Line(0)))
        finally:
            # Left open, it would be a session of the database as long as this process runs.
            back.close()
            writer.close()

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def _close(server: asyncio.Server) -> None:
    server.close()
    carrying = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in carrying:
        task.cancel()
    await asyncio.gather(*carrying, return_exceptions=True)


class Line:
    """What all connections share: so many bytes a second."""

    def __init__(self, rate: float) -> None:
        self.rate, self.free = rate, 0.0

    async def take(self, size: int) -> None:
        """Wait until the line has carried so many bytes."""
        if self.rate:
            self.free = max(self.free, time.monotonic()) + size / self.rate
            await asyncio.sleep(self.free - time.monotonic())


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float, line: Line) -> None:
    """Every packet leaves after the delay, and the next ones do not wait for it."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await source.read(65536):
            await line.take(len(data))
            loop.call_later(delay, target.write, data)
    await asyncio.sleep(delay)
    with suppress(ConnectionError):
        target.close()
