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


_NONE: Final = b"no digest"  # none has its length


class Tokens:
    """The tokens that open a model, by SHA-256. Looking one up touches little memory.

    Comparing and looking up digests is not constant in time, and needn't be: what leaks is about
    the digest, and nobody can choose a token by its digest.
    """

    __slots__ = ("_expiries", "_first", "_first_id", "_others")

    def __init__(self, ids: Mapping[bytes, int], expiries: Mapping[bytes, float]) -> None:
        """`expiries` in unix seconds, only of those that expire."""
        others = dict(ids)
        self._first, self._first_id = others.popitem() if others else (_NONE, PUBLIC)
        self._others = others or None  # most models have one
        self._expiries = dict(expiries) or None

    def id_of(self, digest: bytes, *, now: float) -> int | None:
        """The id of the token of this digest, None when it opens nothing. `now`: unix seconds."""
        if digest == self._first:
            found: int | None = self._first_id
        elif self._others is None:
            return None
        else:
            found = self._others.get(digest)
        expiries = self._expiries
        if expiries is not None and expiries.get(digest, now + 1) <= now:
            return None
        return found


def token_id(
    authorization: bytes | None, *, shown: Shown, public: bool, tokens: Tokens, now: float
) -> int | None:
    """The id of the token that opens the model, `PUBLIC` where none is needed, None: refused."""
    if authorization is not None and is_bearer(authorization):
        found = tokens.id_of(shown.digest(authorization), now=now)
        if found is not None:
            return found
    return PUBLIC if public else None


def is_bearer(authorization: bytes) -> bool:
    """Whether this value of `Authorization` is said to hold a bearer token."""
    return authorization.startswith(b"Bearer ") or authorization[:7].lower() == b"bearer "
