"""The HTTP contract of the Runway Model SDK: one command of one model, on port 9000."""

import json
import re
from collections.abc import Mapping

from hosting.errors import InvalidValue
from hosting.protocols.base import Readiness, Settings
from hosting.protocols.paths import checked_port

_COMMAND = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
# Paths the SDK keeps for itself. "setup" runs the model's set-up again: never reachable.
_NOT_COMMANDS = frozenset({"setup", "meta", "healthcheck"})


class Runway:
    """`/v1/info` is GET of the command, `/v1/query` is POST of it, the body unchanged."""

    name = "runway"
    default_port = 9000
    default_concurrency = 1  # the SDK's server answers one request at a time
    port_variable = "RW_PORT"
    manifest_environment: Mapping[str, str] = {"RW_META": "1"}  # without running set-up
    manifest_label = ""

    def environment(self, settings: Settings) -> dict[str, str]:
        """The options travel as JSON; one that is missing and has no default ends the container."""
        return {
            "RW_HOST": "0.0.0.0",  # noqa: S104 - inside the container's own network
            "RW_PORT": str(checked_port(settings.port, default=self.default_port)),
            "RW_MODEL_OPTIONS": json.dumps(dict(settings.options), sort_keys=True),
        }

    def health_path(self, settings: Settings) -> str | None:
        """The SDK opens its port only once the model is loaded: until then, refused."""
        return "/healthcheck"

    def readiness(self, status: int, body: bytes) -> Readiness:
        """Ready is 200 and RUNNING. A failed set-up ends the process, so nothing here is final."""
        if status != 200:
            return Readiness.WAITING
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return Readiness.WAITING
        running = isinstance(answer, dict) and answer.get("status") == "RUNNING"
        return Readiness.READY if running else Readiness.WAITING

    def query_path(self, settings: Settings) -> str:
        """The command's own path."""
        return "/" + _checked_command(settings.command)

    def info_path(self, settings: Settings) -> str | None:
        """The same path: GET describes what POST runs."""
        return self.query_path(settings)

    def info(self, settings: Settings) -> str | None:
        """Only the container knows its fields."""
        return None

    def info_in(self, manifest: str, settings: Settings) -> str:
        """The command's spec in the words and order of the SDK's own server."""
        commands = _commands_in(manifest)
        for each in commands:
            if each.get("name") == settings.command:
                return json.dumps(each, sort_keys=True, separators=(",", ":")) + "\n"
        names = ", ".join(str(each.get("name")) for each in commands)
        raise InvalidValue(
            f"The image has no command “{settings.command}”. It has: {names}."
            if commands
            else "The image names no commands when it is run with RW_META=1.",
            field="command",
        )


def _commands_in(manifest: str) -> list[dict[str, object]]:
    """What the image printed; what its imports wrote before is skipped."""
    for line in reversed(manifest.splitlines()):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        commands = said.get("commands") if isinstance(said, dict) else None
        if isinstance(commands, list):
            return [each for each in commands if isinstance(each, dict)]
    return []


def _checked_command(command: str) -> str:
    if not command:
        raise InvalidValue("Say which command of the model to run.", field="command")
    if not _COMMAND.fullmatch(command) or command in _NOT_COMMANDS:
        raise InvalidValue(
            f"“{command}” can't be a command. Use the name the model's code gives it, "
            "such as generate_batch.",
            field="command",
        )
    return command
