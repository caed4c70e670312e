"""A model server of raw sockets: it records every byte, and answers whatever a test tells it to."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Handler = Callable[["Seen", socket.socket], bool | None]


@dataclass
class Seen:
    """One request as it reached the model."""

    head: bytes
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if line)
        return {name.strip().lower(): value.strip() for name, value in pairs}


class Model:
    """Listens on a loopback port; one thread per connection."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler: Handler = handler or echo
        self.seen: list[Seen] = []
        self.received = bytearray()  # byte for byte, all connections
        self.connections = 0
        self.hang_ups = 0
        self.hung_up = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    buffer += self._receive(connection)
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                seen = Seen(head)
                buffer = self._read_body(connection, seen, buffer)
                self.seen.append(seen)
                if self.handler(seen, connection) is False:
                    break
        except OSError:
            self.hang_ups += 1
            self.hung_up.set()
        finally:
            self._sockets.discard(connection)
            connection.close()

    def _receive(self, connection: socket.socket) -> bytes:
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        self.received += data
        return data

    def _read_body(self, connection: socket.socket, seen: Seen, buffer: bytes) -> bytes:
        if seen.headers.get("transfer-encoding") == "chunked":
            while True:
                while b"\r\n" not in buffer:
                    buffer += self._receive(connection)
                size, _, buffer = buffer.partition(b"\r\n")
                length = int(size, 16)
                while len(buffer) < length + 2:
                    buffer += self._receive(connection)
                seen.body += buffer[:length]
                buffer = buffer[length + 2 :]
                if not length:
                    return buffer
        length = int(seen.headers.get("content-length", 0))
        received = bytearray(buffer)
        while len(received) < length:
            received += self._receive(connection)
        seen.body = bytes(received[:length])
        return bytes(received[length:])

    def close(self) -> None:
        """Refuse connections from here on, and cut those that are open."""
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def answer(
    status: int = 200,
    body: bytes = b'{"ok": true}',
    *,
    headers: tuple[str, ...] = ("Content-Type: application/json",),
) -> Handler:
    """A handler that always gives this answer."""
    head = "\r\n".join((f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""))
    return raw(head.encode() + body)


def raw(data: bytes, *, then_close: bool = False) -> Handler:
    """A handler that sends exactly these bytes."""

    def handler(seen: Seen, connection: socket.socket) -> bool:
        connection.sendall(data)
        return not then_close

    return handler


def echo(seen: Seen, connection: socket.socket) -> None:
    """Say what was received."""
    said = {"line": seen.line, "headers": seen.headers, "body": seen.body.decode("latin-1")}
    answer(body=json.dumps(said).encode())(seen, connection)


def after(seconds: float, handler: Handler = echo) -> Handler:
    """A handler that takes its time, unless the caller hangs up meanwhile."""

    def slow(seen: Seen, connection: socket.socket) -> bool | None:
        connection.settimeout(seconds)
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError
        except TimeoutError:
            pass
        finally:
            connection.settimeout(None)
        return handler(seen, connection)

    return slow


def once(event: threading.Event, handler: Handler = echo) -> Handler:
    """A handler that answers when something has happened."""

    def waiting(seen: Seen, connection: socket.socket) -> bool | None:
        event.wait(30)
        return handler(seen, connection)

    return waiting


def said(*lines: str, body: bytes = b"") -> bytes:
    """An answer as it goes over the wire."""
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode() + body
