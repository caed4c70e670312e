"""Which subdomain a Host names. Pure."""

import re
from typing import Final

# One spelling of a name and an optional port; user info, commas, paths and blanks don't match.
_HOST: Final = re.compile(rb"([A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?")


def name_of(host: bytes) -> str | None:
    """The name a Host header carries, in lower case and without its port; None: malformed."""
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    return match[1].decode("ascii").lower().rstrip(".")


def subdomain_of(name: str, domain: str) -> str | None:
    """The subdomain before a domain with its dot; None when the name is not under it."""
    if not name.endswith(domain):
        return None
    return name[: -len(domain)] or None
