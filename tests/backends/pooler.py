"""A pooler in front of PostgreSQL, as pgbouncer is in transaction mode: the next transaction may have another session.

It speaks the protocol of PostgreSQL (https://www.postgresql.org/docs/current/protocol.html) as far as psycopg does.
"""

import os
import queue
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

_SSL, _GSS = 80877103, 80877104  # requests to encrypt the connection
_IDLE = b"I"  # no transaction is open


@dataclass(eq=False)
class _Stream:
    """A connection, by messages: a type, the length, a body."""

    _socket: socket.socket

    def send(self, *messages: tuple[bytes, bytes]) -> None:
        self._socket.sendall(b"".join(kind + struct.pack("!I", len(body) + 4) + body for kind, body in messages))

    def read(self, has_type: bool = True) -> tuple[bytes, bytes]:
        kind = self._exactly(1) if has_type else b""
        return kind, self._exactly(struct.unpack("!I", self._exactly(4))[0] - 4)

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    def answer(self, byte: bytes) -> None:
        self._socket.sendall(byte)

    def close(self) -> None:
        self._socket.close()


class Pooler:
    """A port on the loopback whose clients share a few sessions of a server, which take turns."""

    def __init__(self, path: str, database: str, sessions: int = 2) -> None:
        self._sessions: queue.Queue[_Stream] = queue.Queue()
        self._all: list[_Stream] = []
        for _ in range(sessions):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(path)
            session = _Stream(connection)
            settings = f"user\0postgres\0database\0{database}\0client_encoding\0UTF8\0\0"
            session.send((b"", struct.pack("!I", 196608) + settings.encode()))
            greeting = self._read_to_ready(session)
            self._parameters = [message for message in greeting if message[0] == b"S"]
            self._sessions.put(session)
            self._all.append(session)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self._socket.getsockname()[1]}/{database}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for session in self._all:
            session.close()

    def ask_each(self, statement: str) -> list[str]:
        """Return the answer to a statement of one value in each session; no transaction may be open."""
        answers = []
        for _ in self._all:
            session = self._sessions.get(timeout=60)
            session.send((b"Q", statement.encode() + b"\0"))
            (row,) = [body for kind, body in self._read_to_ready(session) if kind == b"D"]
            answers.append(row[6:].decode())
            self._sessions.put(session)
        return answers

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client = _Stream(self._socket.accept()[0])
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: _Stream) -> None:
        session = None
        try:
            self._greet(client)
            while True:
                message = client.read()
                if message[0] == b"X":
                    break
                session = session or self._sessions.get(timeout=60)
                session.send(message)
                if message[0] in (b"Q", b"S"):
                    answers = self._read_to_ready(session)
                    if answers[-1][1] == _IDLE:
                        self._sessions.put(session)
                        session = None
                    client.send(*answers)
        except (EOFError, OSError):
            pass
        finally:
            if session is not None:
                with suppress(EOFError, OSError):
                    session.send((b"Q", b"ROLLBACK\0"))
                    self._read_to_ready(session)
                self._sessions.put(session)
            client.close()

    def _greet(self, client: _Stream) -> None:
        while True:
            _, body = client.read(has_type=False)
            if struct.unpack("!I", body[:4])[0] not in (_SSL, _GSS):
                break
            client.answer(b"N")
        names = body[4:].split(b"\0")[::2]
        if b"options" in names:  # they belong to a session
            client.send((b"E", b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"))
            raise EOFError
        client.send((b"R", b"\0" * 4), *self._parameters, (b"K", os.urandom(8)), (b"Z", _IDLE))

    @staticmethod
    def _read_to_ready(session: _Stream) -> list[tuple[bytes, bytes]]:
        messages = [session.read()]
        while messages[-1][0] != b"Z":
            messages.append(session.read())
        return messages
