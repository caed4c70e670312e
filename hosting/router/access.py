"""Whether a bearer token opens an endpoint. Pure."""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from hosting.router.digests import sha256
from hosting.router.headers import value_at

PUBLIC: Final = 0  # the token id of a caller who needed none
_alike: Final = compare_digest  # compiled, a constant is at hand where a global is looked up


class Shown:
    """What a connection showed last, and the digest of its token: most show one all the time.

    Kept for as long as the connection is open, which brings it again with every request. A proxy
    may send for many over one: how long comparing takes must not tell any of them about another.
    """

    __slots__ = ("_authorization", "_digest")

    def __init__(self) -> None:
        self._authorization = self._digest = b""

    def digest(self, authorization: bytes) -> bytes:
        """The SHA-256 of the token in this value of `Authorization`."""
        if not _alike(authorization, self._authorization):
            self._authorization = authorization
            self._digest = sha256(value_at(authorization, 6)).digest()
        return self._digest


def token_id(
    authorization: bytes | None,
    *,
    shown: Shown,
    public: bool,
    tokens: Mapping[bytes, int],
    expiries: Mapping[bytes, float],
    now: float,
) -> int | None:
    """The id of the token that opens the model, `PUBLIC` where none is needed, None: refused.

    `tokens` and `expiries` are by SHA-256. Looking a digest up in a dict is not constant in time,
    and needn't be: what leaks is about the digest, and nobody can choose a token by its digest.
    """
    if authorization is not None and is_bearer(authorization):
        digest = shown.digest(authorization)
        found = tokens.get(digest)
        if found is not None and (not expiries or expiries.get(digest, now + 1) > now):
            return found
    return PUBLIC if public else None


def is_bearer(authorization: bytes) -> bool:
    """Whether this value of `Authorization` is said to hold a bearer token."""
    return authorization.startswith(b"Bearer ") or authorization[:7].lower() == b"bearer "
