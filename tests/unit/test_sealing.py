"""What is sealed can be opened with the right key, and with no other."""

import pytest

from hosting.errors import SecretsUnavailable
from hosting.sealing import Sealer, new_key

OLD, NEW = new_key(), new_key()


def test_a_sealed_value_shows_nothing_and_opens_to_itself():
    sealed = Sealer([OLD]).seal("hush ✓")

    assert "hush" not in sealed
    assert sealed != Sealer([OLD]).seal("hush ✓")
    assert Sealer([OLD]).open(sealed) == "hush ✓"


def test_a_new_key_in_front_opens_what_the_old_one_sealed():
    sealed = Sealer([OLD]).seal("hush")

    resealed = Sealer([NEW, OLD]).reseal(sealed)

    assert Sealer([NEW]).open(resealed) == "hush"


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "ä"])
def test_what_was_not_sealed_is_refused(sealed):
    with pytest.raises(SecretsUnavailable):
        Sealer([OLD]).open(sealed)


def test_without_the_key_nothing_opens_and_it_is_said_what_to_do():
    sealed = Sealer([OLD]).seal("hush")

    with pytest.raises(SecretsUnavailable, match="put the key back"):
        Sealer([NEW]).open(sealed)
    with pytest.raises(SecretsUnavailable, match="set DORMOUSE_SECRETS_KEYS"):
        Sealer([]).seal("hush")
