"""Whether a bearer token opens an endpoint. Pure."""

from collections.abc import Mapping
from hashlib import sha256

PUBLIC = 0  # the token id of a caller who needed none


def token_id(
    authorization: bytes | None,
    *,
    public: bool,
    tokens: Mapping[bytes, int],
    expiries: Mapping[bytes, float],
    now: float,
) -> int | None:
    """The id of the token that opens the model, `PUBLIC` where none is needed, None: refused.

    `tokens` and `expiries` are by SHA-256. Looking a digest up in a dict is not constant in time,
    and needn't be: what leaks is about the digest, and nobody can choose a token by its digest.
    """
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        digest = sha256(authorization[7:].strip()).digest()
        found = tokens.get(digest)
        if found is not None and (not expiries or expiries.get(digest, now + 1) > now):
            return found
    return PUBLIC if public else None
