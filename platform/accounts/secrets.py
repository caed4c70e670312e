"""Bearer secrets: how they are made, checked for typos, and stored. Pure: no Django here.

A secret is `dm<kind>_` + 30 base62 characters + 6 base62 characters of the CRC-32 of what stands
before them. Scanners find ours with `SECRET_PATTERN`.
"""

import hashlib
import re
import secrets
import string
import zlib
from enum import StrEnum

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_PATTERN = re.compile(r"dm[ek]_[0-9A-Za-z]{36}")


class Kind(StrEnum):
    """What a secret opens."""

    ENDPOINT = "e"  # one hosted model's /v1
    API_KEY = "k"  # the REST admin API, as a user


def mint(kind: Kind) -> str:
    """A new secret, to be shown once."""
    body = f"dm{kind}_" + "".join(secrets.choice(ALPHABET) for _ in range(30))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Six base62 characters of the CRC-32 of `body`."""
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits


def well_formed(secret: str) -> bool:
    """Whether the checksum fits: turns away typos without a look-up."""
    return bool(SECRET_PATTERN.fullmatch(secret)) and checksum(secret[:-6]) == secret[-6:]


def digest(secret: str) -> str:
    """What is stored: the SHA-256 of the secret, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
