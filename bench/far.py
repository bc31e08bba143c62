"""A server some way off: a proxy on loopback that holds every packet back for half of a round trip each way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def far(port: int, seconds: float) -> Iterator[int]:
    """Gives the port at which the server on ``port`` answers with this round trip time."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(port, seconds / 2), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(port: int, delay: float) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_carry(reader, back, delay), _carry(there, writer, delay))

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def _close(server: asyncio.Server) -> None:
    server.close()
    carrying = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in carrying:
        task.cancel()
    await asyncio.gather(*carrying, return_exceptions=True)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float) -> None:
    """Every packet leaves after the delay, and the next ones do not wait for it."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await source.read(65536):
            loop.call_later(delay, target.write, data)
    await asyncio.sleep(delay)
    with suppress(ConnectionError):
        target.close()
