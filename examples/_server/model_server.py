"""Serves one model over the HTTP contract of the Runway Model SDK. Standard library only.

A model declares options and commands, then calls `run()`:

    model = Model()

    @model.command("shout", inputs=[text("words")], outputs=[text("louder")])
    def shout(state, inputs):
        return {"louder": inputs["words"].upper()}

    model.run()

The port opens only after set-up, so an accepted connection means the weights are loaded. Commands
run one at a time; health and description are answered meanwhile.
"""

import json
import os
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from fields import Field, NotAllowed

SDK_VERSION = "0.6.1"  # whose behaviour this follows
_NOT_JSON = "The body of all POST requests must contain JSON"
_LONGEST_BODY = 256 * 1024 * 1024


class HttpAnswer(Exception):
    """Raised by a command that wants a status of its own."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Command:
    """A function with a description of what goes in and out."""

    def __init__(self, name, function, inputs, outputs, description) -> None:
        self.name = name
        self.function = function
        self.inputs: list[Field] = inputs
        self.outputs: list[Field] = outputs
        self.description: str | None = description

    def spec(self) -> dict[str, Any]:
        """What GET of the command answers."""
        return {
            "name": self.name,
            "description": self.description,
            "inputs": [field.spec for field in self.inputs],
            "outputs": [field.spec for field in self.outputs],
        }

    def run(self, state: Any, body: dict[str, Any]) -> dict[str, Any]:
        """Check the inputs, run, keep the last value of a generator."""
        inputs = {field.name: field.read(body) for field in self.inputs}
        result = self.function(state, inputs)
        if hasattr(result, "__next__"):
            *_, result = result
        if not isinstance(result, dict):  # a single output may come bare
            result = {self.outputs[0].name: result}
        return result


class Model:
    """Options, a set-up function and commands."""

    def __init__(self, *, options: list[Field] | None = None) -> None:
        self.options = options or []
        self.commands: dict[str, Command] = {}
        self.raw: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}  # path: whole handler
        self.state: Any = None
        self._load: Callable[[dict[str, Any]], Any] = lambda options: None
        self._one_at_a_time = threading.Lock()
        self._started = time.monotonic()
        self._last_command: float | None = None

    def setup(self, function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        """Decorate what loads the model; what it returns is handed to every command."""
        self._load = function
        return function

    def command(self, name: str, *, inputs, outputs, description: str | None = None):
        """Decorate a function `(state, inputs) -> outputs`."""

        def keep(function):
            self.commands[name] = Command(name, function, inputs, outputs, description)
            return function

        return keep

    def load(self, given: dict[str, Any]) -> None:
        """Run set-up with these options; again replaces the state."""
        chosen = {field.name: field.read(given) for field in self.options}
        with self._one_at_a_time:
            self.state = self._load(chosen)

    def answer(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Run a command, one at a time, in the order of the lock."""
        with self._one_at_a_time:
            self._last_command = time.monotonic()
            return self.commands[name].run(self.state, body)

    def manifest(self) -> dict[str, Any]:
        """What can be said without loading anything."""
        return {
            "options": [field.spec for field in self.options],
            "commands": [command.spec() for command in self.commands.values()],
        }

    def meta(self) -> dict[str, Any]:
        """The manifest and how long things have been going on."""
        now = time.monotonic()
        since = None if self._last_command is None else int((now - self._last_command) * 1000)
        return {
            "modelSDKVersion": SDK_VERSION,
            "millisRunning": int((now - self._started) * 1000),
            "millisSinceLastCommand": since,
            "GPU": os.environ.get("GPU") == "1",
            **self.manifest(),
        }

    def run(self) -> None:
        """Serve until killed. `RW_META=1`: print the manifest and return, nothing is loaded."""
        if os.environ.get("RW_META") == "1":
            print(json.dumps(self.manifest()), flush=True)
            return
        try:
            self.load(json.loads(os.environ.get("RW_MODEL_OPTIONS") or "{}"))
        except Exception:
            traceback.print_exc()
            sys.exit(1)
        host = os.environ.get("RW_HOST", "0.0.0.0")
        port = int(os.environ.get("RW_PORT", "9000"))
        server = _Server((host, port), _Handler)
        server.model = self
        print(f"Ready on {host}:{port}", flush=True)
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    model: Model
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def server_bind(self) -> None:
        # Not HTTPServer's: that one asks the resolver for our name, seconds without a network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        self._guard(self._get)

    def do_POST(self) -> None:
        self._guard(self._post)

    def do_OPTIONS(self) -> None:
        self.reply(200, {})

    def do_PUT(self) -> None:
        self.reply(405, {"error": "Method not allowed."})

    do_DELETE = do_PATCH = do_PUT

    def log_message(self, format: str, *args: Any) -> None:
        """A line per probe would drown the model's own."""

    def reply(self, status: int, body: Any) -> None:
        """Send JSON, keys sorted."""
        data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(data)

    def read_body(self) -> bytes:
        """The whole body, chunked or not, unpacked if it is JSON that was packed."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            data = b"".join(iter(self._chunk, b""))
            while self.rfile.readline(1024).strip():  # trailers
                pass
        else:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _LONGEST_BODY:
                raise HttpAnswer(413, {"error": "The body is too large."})
            data = self.rfile.read(length)
        packed = self.headers.get("Content-Encoding") == "gzip"
        if packed and self.headers.get("Content-Type") == "application/json":
            data = zlib.decompressobj(31).decompress(data, _LONGEST_BODY)
        return data

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(1024).split(b";")[0], 16)
        if not size:
            return b""
        data = self.rfile.read(size)
        self.rfile.readline(4)
        return data

    def _guard(self, handle: Callable[[str], None]) -> None:
        path = self.path.partition("?")[0]
        try:
            raw = self.server.model.raw.get(path)
            raw(self) if raw else handle(path)
        except HttpAnswer as answer:
            self.reply(answer.status, answer.body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:
            traceback.print_exc()
            self.close_connection = True
            self.reply(500, {"error": "Internal server error."})

    def _get(self, path: str) -> None:
        model = self.server.model
        if path in ("/", "/meta"):
            self.reply(200, model.meta())
        elif path == "/healthcheck":
            self.reply(200, {"status": "RUNNING"})
        elif path == "/setup":
            self.reply(200, model.manifest()["options"])
        else:
            self.reply(200, self._command(path).spec())

    def _post(self, path: str) -> None:
        model = self.server.model
        body = self._json()
        if path == "/setup":
            model.load(body)
            self.reply(200, {"success": True})
            return
        name = self._command(path).name
        try:
            outputs = model.answer(name, body)
        except NotAllowed as error:
            self.reply(400, {"error": str(error)})
        except (HttpAnswer, ConnectionError):
            raise
        except Exception as error:
            trace = traceback.format_exc().splitlines()
            print("\n".join(trace), file=sys.stderr, flush=True)
            self.reply(500, {"error": f"Error during inference: {error!r}.", "traceback": trace})
        else:
            self.reply(200, outputs)

    def _json(self) -> dict[str, Any]:
        """Read the body as JSON whatever its content type says: curl -d calls it a form."""
        try:
            body = json.loads(self.read_body())
        except (ValueError, zlib.error):
            raise HttpAnswer(400, {"error": _NOT_JSON}) from None
        if not isinstance(body, dict):
            raise HttpAnswer(400, {"error": _NOT_JSON})
        return body

    def _command(self, path: str) -> Command:
        name = path.strip("/")
        if "/" in name:
            raise HttpAnswer(404, {"error": "Not found."})
        command = self.server.model.commands.get(name)
        if command is None:
            raise HttpAnswer(404, {"error": f"Unknown command: {name}.", "traceback": []})
        return command
