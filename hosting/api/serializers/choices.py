"""Choices that are named to whoever chose something else."""

from typing import Any, NoReturn

from rest_framework import serializers


class NamedChoiceField(serializers.ChoiceField):
    """One of a few words; a refusal lists them."""

    default_error_messages = {"invalid_choice": "“{input}” is none of {choices}."}

    def fail(self, key: str, **values: Any) -> NoReturn:
        """Add what could have been chosen."""
        super().fail(key, choices=", ".join(str(each) for each in self.choices), **values)
