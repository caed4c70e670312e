"""Usage as a file: every request, or the figures of a split; line by line, never all in memory."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from hosting.metering import statistics
from hosting.metering.histogram import Times

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_TIMES = ("model", "held")
REQUEST = statistics.EXPORTED  # the columns of `statistics.records`
FIGURES = (
    *(each.name for each in fields(statistics.Row) if each.name not in ("key", *_TIMES)),
    *(f"{name}_{each.name}_ms" for name in _TIMES for each in fields(Times)),
)


def lines(rows: Iterable[dict[str, Any]], *, kind: str, columns: Iterable[str]) -> Iterator[str]:
    """Flat rows as CSV with a head, or as one JSON object a line."""
    if kind == "csv":
        return _csv(rows, list(columns))
    return (json.dumps(row) + "\n" for row in rows)


def figures(
    dimension: str, model_ids: list[int], *, since: datetime, until: datetime
) -> Iterator[dict[str, Any]]:
    """The rows of `statistics.by`, flat; percentiles in milliseconds."""
    for row in statistics.by(dimension, model_ids, since=since, until=until):
        said = asdict(row)
        key = said.pop("key")
        times = {
            f"{name}_{percentile}_ms": value
            for name in _TIMES
            for percentile, value in said.pop(name).items()
        }
        yield {dimension: key, **said, **times}


def _csv(rows: Iterable[dict[str, Any]], columns: list[str]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row[name] for name in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()
