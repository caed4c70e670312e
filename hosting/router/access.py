"""Whether a bearer token opens a route. Pure."""

from hashlib import sha256

from hosting.wire import Route

PUBLIC = 0  # the token id of a caller who needed none


def token_id(route: Route, authorization: bytes | None, *, now: float) -> int | None:
    """The id of the token that opens the route, `PUBLIC` where none is needed, None: refused.

    Looking the digest up in a dict is not constant in time, and needn't be: what leaks is about
    the digest, and nobody can choose a token by its digest.
    """
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        digest = sha256(authorization[7:].strip()).hexdigest()
        found = route.token_digests.get(digest)
        if found is not None and (
            not route.token_expiries or route.token_expiries.get(digest, now + 1) > now
        ):
            return found
    return PUBLIC if route.public else None
