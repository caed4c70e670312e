"""Lines into rows: each once, in order, cleaned, and never more of them than a model may have."""

import json
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Sum, Value, Window
from django.db.models.functions import Length

from hosting import route_table, secrets, wire
from hosting.errors import SecretsUnavailable
from hosting.logs.buffer import LINE_OVERHEAD_BYTES, Buffer, Taken, size_of
from hosting.logs.cleaning import Secrets, Withheld, clean
from hosting.models import HostedModel, LogLine, Replica, ReplicaLog
from hosting.models.log import LogStream
from hosting.runtimes.base import Output, Runtime, Stream

logger = logging.getLogger(__name__)

# The two streams are read by two threads of the engine: a line may come that much after its time.
SLACK_NS = 1_000_000_000
KEPT_AFTER_TRIM = 0.875  # so that not every line that comes trims
_LOCK = 0x4C4F47  # a name for our locks beside others'


def read_from(replica: Replica) -> int:
    """From which time on the engine is to be asked: nothing is missed, `keep` sorts out repeats."""
    log = ReplicaLog.objects.filter(pk=replica.pk).first()
    return max(0, log.read_until - SLACK_NS) if log else 0


def collect(replica: Replica, *, runtime: Runtime) -> None:
    """Keep what the engine has and we have not, before it forgets: the last words of a replica."""
    buffer = Buffer()
    for output in runtime.log(replica.name, after=read_from(replica)):
        buffer.add(output)
    keep(replica, buffer.take())


def keep(replica: Replica, taken: Taken) -> int:
    """Write the lines that are new, and how many were dropped before them; returns how many.

    Any number of processes may hold the same lines: the times in the row say which are new, and
    they change in the same transaction.
    """
    with transaction.atomic():
        lock(replica.model_id)
        if not HostedModel.objects.filter(pk=replica.model_id, deleted_at=None).exists():
            return 0
        log, _ = ReplicaLog.objects.get_or_create(
            replica_id=replica.pk, defaults={"model_id": replica.model_id}
        )
        new = _new(taken, log)
        if not new:
            return 0
        masked = _masked(replica.model_id)
        lines = [_row(replica, output, masked=masked) for output in new]
        if taken.dropped:
            lines.insert(0, _note(replica, taken, before=new[0]))
        LogLine.objects.bulk_create(lines)
        log.kept_bytes += sum(size_of(line.text) for line in lines)
        log.dropped_lines += taken.dropped
        log.save(update_fields=["stdout_read", "stderr_read", "kept_bytes", "dropped_lines"])
        _trim(log)
        transaction.on_commit(partial(_tell, replica))
    return len(new)


def erase(model: HostedModel) -> None:
    """Forget what a deleted model has written; callers hold the transaction that deletes it."""
    lock(model.pk)
    LogLine.objects.filter(model=model).delete()
    ReplicaLog.objects.filter(model=model).update(kept_bytes=0)


def lock(model_id: int) -> None:
    """One writer per model at a time: ids rise as lines become visible, and a tail skips none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, model_id % 2**31])


def _new(taken: Taken, log: ReplicaLog) -> list[Output]:
    """The lines that were not kept yet; moves the log's times on."""
    new = []
    for output in taken.outputs:
        name = "stderr_read" if output.stream == Stream.ERR else "stdout_read"
        if output.at > getattr(log, name):
            setattr(log, name, output.at)
            new.append(output)
    return new


def _masked(model_id: int) -> Secrets:
    """What must not be seen; while nobody can tell what that is, nothing is."""
    try:
        return Secrets(secrets.values(model_id))
    except SecretsUnavailable:
        return Withheld()


def _row(replica: Replica, output: Output, *, masked: Secrets) -> LogLine:
    return LogLine(
        model_id=replica.model_id,
        replica_id=replica.pk,
        at=_moment(output.at),
        stream=output.stream,
        text=clean(output.text, secrets=masked),
    )


def _note(replica: Replica, taken: Taken, *, before: Output) -> LogLine:
    count = f"{'More than ' if taken.uncounted else ''}{taken.dropped:,} lines"
    return LogLine(
        model_id=replica.model_id,
        replica_id=replica.pk,
        at=_moment(before.at),
        stream=LogStream.NOTE,
        text=f"{count} were dropped here: it wrote faster than lines are kept.",
    )


def _moment(nanoseconds: int) -> datetime:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1000)


def _trim(log: ReplicaLog) -> None:
    """Delete the oldest lines of a replica, then of its model, that has more than it may."""
    if log.kept_bytes > settings.LOG_BYTES_PER_REPLICA:
        _delete_oldest(log, most=settings.LOG_BYTES_PER_REPLICA, replica_id=log.replica_id)
    logs = ReplicaLog.objects.filter(model_id=log.model_id)
    if (logs.aggregate(sum=Sum("kept_bytes"))["sum"] or 0) > settings.LOG_BYTES_PER_MODEL:
        _delete_oldest(log, most=settings.LOG_BYTES_PER_MODEL)


def _delete_oldest(log: ReplicaLog, *, most: int, **of: int) -> None:
    lines = LogLine.objects.filter(model_id=log.model_id, **of)
    cost = Length("text") + Value(LINE_OVERHEAD_BYTES)
    newer = Window(Sum(cost), order_by=F("pk").desc())
    beyond = lines.annotate(newer=newer).filter(newer__gt=most * KEPT_AFTER_TRIM)
    last = beyond.order_by("-pk").values_list("pk", flat=True).first()
    if last is not None:
        lines.filter(pk__lte=last).delete()
    left = LogLine.objects.filter(model_id=log.model_id).values_list("replica_id")
    sums = dict(left.annotate(sum=Sum(cost)))
    for each in ReplicaLog.objects.filter(model_id=log.model_id, kept_bytes__gt=0):
        each.kept_bytes = sums.get(each.replica_id, 0)
        each.save(update_fields=["kept_bytes"])


def _tell(replica: Replica) -> None:
    """Tell open pages; one that hears nothing shows the lines when it is loaded again."""
    model = replica.model
    hint = {"team_id": model.team_id, "subdomain": model.subdomain}
    try:
        route_table.connection().publish(wire.LOGS_CHANNEL, json.dumps(hint))
    except redis.RedisError as error:
        logger.debug("no page was told of new lines: %s", error)
