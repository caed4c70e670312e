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


def subdomain_of(name: str, base_domain: str) -> str | None:
    """The subdomain under the base domain; None when the name is not under it."""
    if not name.endswith(base_domain):
        return None
    subdomain = name[: -len(base_domain)]
    if len(subdomain) < 2 or subdomain[-1] != ".":
        return None
    return subdomain[:-1]
