"""Values that are kept encrypted: sealed with the first key, opened with any. Pure."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hosting.errors import SecretsUnavailable


class Sealer:
    """Fernet: AES-128-CBC and HMAC-SHA-256 under one key. To rotate, put a new key first."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def seal(self, value: str) -> str:
        """Encrypt. Raises SecretsUnavailable without a key."""
        return self._box().encrypt(value.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt. Raises SecretsUnavailable without the key it was sealed with."""
        try:
            return self._box().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretsUnavailable(_WRONG_KEY) from None  # its context says nothing, but long

    def reseal(self, sealed: str) -> str:
        """Seal the same value with the first key."""
        return self.seal(self.open(sealed))

    def _box(self) -> MultiFernet:
        if self._fernet is None:
            raise SecretsUnavailable(_NO_KEY)
        return self._fernet


def new_key() -> str:
    """A key for DORMOUSE_SECRETS_KEYS."""
    return Fernet.generate_key().decode()


_NO_KEY = "Secrets can't be used here: the operator has to set DORMOUSE_SECRETS_KEYS."
_WRONG_KEY = (
    "A secret of this model can't be read: it was sealed with a key that is no longer in "
    "DORMOUSE_SECRETS_KEYS. Set the secret again, or put the key back."
)
