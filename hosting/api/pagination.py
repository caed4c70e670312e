"""Lists come in pages; a cursor says where the next one begins."""

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

BAD_CURSOR = {"cursor": "Take the cursor from a `next` link."}


class Pages(CursorPagination):
    """Newest first, 50 at a time. A cursor is only a position: it opens nothing."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = ("-pk",)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Call a damaged cursor a wrong value, before the database sees it."""
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise ValidationError(BAD_CURSOR) from error
        if cursor is not None and not _plausible(cursor, ordering=self.ordering):
            raise ValidationError(BAD_CURSOR)
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page in the words of OpenAPI 3.1, which knows no `nullable`."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class PagesBySubdomain(Pages):
    """Hosted models, by name."""

    ordering = ("subdomain",)


def _plausible(cursor: Cursor, *, ordering: tuple[str, ...]) -> bool:
    if cursor.position is None:
        return True
    position = str(cursor.position)
    if ordering == Pages.ordering:
        return position.isascii() and position.isdigit() and len(position) < 19
    return position.isascii() and position.isprintable()
