"""Whether a bearer token opens an endpoint. Pure."""

from collections.abc import Mapping
from typing import Final

from hosting.router.digests import sha256
from hosting.router.headers import value_at

PUBLIC: Final = 0  # the token id of a caller who needed none


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
    if authorization is not None and _is_bearer(authorization):
        digest = sha256(value_at(authorization, 6)).digest()
        found = tokens.get(digest)
        if found is not None and (not expiries or expiries.get(digest, now + 1) > now):
            return found
    return PUBLIC if public else None


def _is_bearer(authorization: bytes) -> bool:
    return authorization.startswith(b"Bearer ") or authorization[:7].lower() == b"bearer "
