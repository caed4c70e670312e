"""Reading a body: bounded, and nothing in it may bring the process or the database down."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MAX_BODY_BYTES = 1024 * 1024


class BodyTooLarge(APIException):
    """More than any request of this API needs."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = "The body is too large. The limit is 1 MiB."


class BoundedJsonParser(JSONParser):
    """JSON of at most 1 MiB; depth, size and characters that the database refuses are a 4xx."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse one value in UTF-8, whatever charset is claimed: JSON knows no other."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            data = json.loads(body.decode())
            refuse_unstorable(data)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise ParseError(f"This is not JSON: {error}.") from error
        return data


def refuse_unstorable(value: Any) -> None:
    """Raise ParseError for what JSON can spell and the database can't keep."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ParseError("A text holds a NUL character or half a surrogate pair.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ParseError("A number is not finite.")
    elif isinstance(value, dict):
        for key, each in value.items():
            refuse_unstorable(key)
            refuse_unstorable(each)
    elif isinstance(value, list):
        for each in value:
            refuse_unstorable(each)
