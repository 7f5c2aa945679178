"""A TCP proxy between an instance and a server, which can cut connections and drop the answers of the server."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Proxy:
    """A port on the loopback, served by a thread of its own.

    `mode` is written from outside and read in that thread: "pass" everything; "refuse" connections; "deaf": requests
    get through, their answers do not.
    """

    def __init__(self, connect: Connect) -> None:
        self.mode = "pass"
        self._connect = connect
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="chaos-proxy", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close all current connections."""
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        self.mode = "refuse"
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self._loop.run_forever()
        server.close()
        self._cut()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            if self.mode == "refuse":
                return
            answers, server = await self._connect()
            ends.append(server)
            self._writers.update(ends)
            done, rest = await asyncio.wait(
                [
                    asyncio.ensure_future(self._pump(reader, server, is_answer=False)),
                    asyncio.ensure_future(self._pump(answers, writer, is_answer=True)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in rest:
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except OSError:  # the server is down
            return
        finally:
            self._writers.difference_update(ends)
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        while data := await reader.read(65_536):
            if not (is_answer and self.mode == "deaf"):
                writer.write(data)
                await writer.drain()
