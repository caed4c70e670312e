"""Ports and paths a person may set for a container."""

import re
from urllib.parse import unquote

from hosting.errors import InvalidValue

# Visible ASCII without "?" and "#": the router adds the query string itself.
_PATH = re.compile(r"/[!$-;=@-\[\]_a-z|~&%]*")
_LONGEST = 512


def checked_path(path: str, *, field: str) -> str:
    """Return the path as it goes on the wire, or say why it can't go there."""
    if len(path) > _LONGEST or not _PATH.fullmatch(path):
        raise InvalidValue(
            "Write the path as it stands in the URL: it starts with “/” and holds no spaces, "
            "“?” or “#”.",
            field=field,
        )
    # "%2e%2e" is ".." to many servers: a path that climbs could reach a control route.
    if any(part in (".", "..") for part in unquote(path).split("/")):
        raise InvalidValue("The path can't hold “.” or “..” as a step.", field=field)
    return path


def checked_port(port: int | None, *, default: int) -> int:
    """Return the port to listen on. Below 1024 an unprivileged container can't."""
    chosen = default if port is None else port
    if not 1024 <= chosen <= 65535:
        raise InvalidValue("Use a port from 1024 to 65535.", field="port")
    return chosen
