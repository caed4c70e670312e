"""Keeping golden requests, and forgetting them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from hosting.errors import InvalidValue
from hosting.models import GoldenRequest, HostedModel

MOST_REQUESTS, MOST_KEYS = 20, 50
MOST_INPUT_BYTES = 1024 * 1024
LONGEST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """An input, and what is expected of the answer. Without an output any will do."""

    name: str
    input: Any
    expected_status: int = 200
    expected_keys: Sequence[str] = field(default_factory=list)
    expected_output: Any = None
    timeout_seconds: int = 30


def keep(model: HostedModel, sample: Sample, *, created_by: User | None) -> GoldenRequest:
    """Have every new revision answer this before it takes traffic. Raises InvalidValue."""
    _check(sample)
    with transaction.atomic():
        HostedModel.objects.select_for_update().get(pk=model.pk)  # counted one by one
        if model.golden_requests.count() >= MOST_REQUESTS:
            raise InvalidValue(f"A model has {MOST_REQUESTS} golden requests at most.")
        try:
            with transaction.atomic():
                return GoldenRequest.objects.create(
                    model=model,
                    name=sample.name.strip(),
                    input=sample.input,
                    expected_status=sample.expected_status,
                    expected_keys=list(sample.expected_keys),
                    expected_output=sample.expected_output,
                    timeout_seconds=sample.timeout_seconds,
                    created_by=created_by,
                )
        except IntegrityError as error:
            raise InvalidValue("There is a golden request of this name.", field="name") from error


def forget(golden: GoldenRequest) -> None:
    """Ask it no more."""
    golden.delete()


def _check(sample: Sample) -> None:
    if not sample.name.strip() or len(sample.name) > 80:
        raise InvalidValue("Give it a name of up to 80 letters.", field="name")
    if len(json.dumps(sample.input)) > MOST_INPUT_BYTES:
        raise InvalidValue("The input is too long: 1 MiB at most.", field="input")
    if len(json.dumps(sample.expected_output)) > MOST_INPUT_BYTES:
        raise InvalidValue("The output is too long: 1 MiB at most.", field="expected_output")
    if "\\u0000" in json.dumps([sample.name, sample.input, sample.expected_output]):
        raise InvalidValue("It may hold no NUL characters.", field="input")
    if not 100 <= sample.expected_status <= 599:
        raise InvalidValue("A status is a number from 100 to 599.", field="expected_status")
    keys = sample.expected_keys
    if len(keys) > MOST_KEYS or not all(key and "\0" not in key for key in keys):
        raise InvalidValue(f"Name up to {MOST_KEYS} fields.", field="expected_keys")
    if not 1 <= sample.timeout_seconds <= LONGEST_SECONDS:
        raise InvalidValue(f"Give 1 to {LONGEST_SECONDS} seconds.", field="timeout_seconds")
