"""Lists come in pages; a cursor says where the next one begins."""

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class Pages(CursorPagination):
    """Newest first, 50 at a time. A cursor is only a position: it opens nothing."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "-pk"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Call a damaged cursor a wrong value, before the database sees it."""
        encoded = request.query_params.get(self.cursor_query_param)
        cursor = super().decode_cursor(request)
        if cursor is not None and encoded and not _plausible(cursor, ordering=self.ordering):
            raise ValidationError({"cursor": "Take the cursor from a `next` link."})
        return cursor


class PagesBySubdomain(Pages):
    """Hosted models, by name."""

    ordering = "subdomain"


def _plausible(cursor: Cursor, *, ordering: str) -> bool:
    if cursor.position is None:
        return True
    position = str(cursor.position)
    if ordering == "-pk":
        return position.isascii() and position.isdigit() and len(position) < 19
    return position.isascii() and position.isprintable()
