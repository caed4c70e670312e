"""What the suite arranges for its own tests."""

from hypothesis import settings


def test_a_busy_machine_fails_no_example():
    assert settings.default is not None
    assert settings.default.deadline is None
