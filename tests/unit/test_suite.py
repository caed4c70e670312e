"""What the suite arranges for its own tests."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.conftest import ONE_SITE, ONE_SYSTEM, WAITS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("file", [*ONE_SYSTEM, *ONE_SITE, *(each for each in WAITS if "/" in each)])
def test_a_file_with_a_place_in_the_order_is_there(file: str):
    assert (ROOT / file).is_file()


def test_a_busy_machine_fails_no_example():
    assert settings.default is not None
    assert settings.default.deadline is None
