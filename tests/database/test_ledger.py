"""Usage: counted once, whatever is repeated, damaged or cut short."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from hosting.metering import ledger, queries, shipper, spools
from hosting.models import EndpointToken, SpoolSegment, UsageMinute, UsageRecord
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "router-1"
    folder.mkdir()
    return tmp_path


def write(spool, *parts: bytes, sequence: int = 1) -> None:
    (spool / "router-1" / f"{sequence:020}.log").write_bytes(b"".join(parts))


def test_an_event_that_comes_twice_is_stored_once(model):
    event = make_event(model)

    assert ledger.record([event]) == 1
    assert ledger.record([event, event]) == 0
    assert UsageRecord.objects.count() == 1
    assert UsageMinute.objects.get().requests == 1


def test_only_counted_requests_show_up_as_requests(model, usage_event):
    usage_event(model)
    usage_event(model, status=500, outcome="model_error")
    usage_event(model, counted=False, route="info", method="GET")

    totals = queries.totals([model.pk], since=NOON, until=NOON + timedelta(minutes=1))

    assert totals == {model.pk: queries.Usage(requests=2, errors=1)}


def test_a_model_without_requests_has_zeros(model):
    assert queries.totals([model.pk], since=NOON) == {model.pk: queries.Usage()}


def test_a_series_has_no_gaps(model, usage_event):
    usage_event(model, at=NOON + timedelta(minutes=7))

    points = queries.series(
        model.pk, since=NOON, until=NOON + timedelta(minutes=15), bucket_seconds=300
    )

    assert [point.requests for point in points] == [0, 1, 0]


def test_a_shipper_that_forgot_how_far_it_was_adds_nothing_the_second_time(model, spool):
    write(spool, *(make_event(model).to_line() for _ in range(3)))
    shipper.ship_once(spool)
    SpoolSegment.objects.update(offset=0)

    shipper.ship_once(spool)

    assert UsageRecord.objects.count() == 3


def test_a_line_still_being_written_waits_for_the_next_round(model, spool):
    whole, half = make_event(model).to_line(), make_event(model).to_line()
    write(spool, whole, half[:30])
    first = shipper.ship_once(spool)

    write(spool, whole, half)

    assert (first, shipper.ship_once(spool)) == (1, 1)


def test_padding_of_a_segment_made_in_advance_is_not_a_line(model, spool):
    write(spool, make_event(model).to_line(), b"\0" * 4096)

    assert shipper.ship_once(spool) == 1
    assert not (spool / "router-1" / shipper.QUARANTINE).exists()


def test_a_damaged_line_goes_to_quarantine_and_blocks_nobody(model, spool):
    damaged = make_event(model).to_line().replace(b"POST", b"PAST")
    write(spool, damaged, make_event(model).to_line())

    assert shipper.ship_once(spool) == 1
    assert (spool / "router-1" / shipper.QUARANTINE).read_bytes() == damaged


def test_a_shipped_segment_is_kept_for_comparison_and_deleted_after_its_time(model, spool):
    write(spool, make_event(model).to_line(), sequence=1)
    write(spool, make_event(model).to_line(), sequence=2)

    assert shipper.ship_once(spool, now=NOON) == 2
    shipper.ship_once(spool, now=NOON + shipper.RETENTION)
    assert len(spools.segments(spool / "router-1")) == 2
    shipper.ship_once(spool, now=NOON + shipper.RETENTION * 2)
    assert [each.name for each in spools.segments(spool / "router-1")] == [f"{2:020}.log"]


def test_an_event_the_database_refuses_goes_to_quarantine_and_blocks_nobody(model, spool):
    bad = make_event(model, status=70_000)
    write(spool, *(make_event(model).to_line() for _ in range(5)), bad.to_line())

    assert shipper.ship_once(spool) == 5
    assert (spool / "router-1" / shipper.QUARANTINE).read_bytes() == bad.to_line()


def test_a_batch_that_fails_leaves_the_offset_where_it_was(model, spool, monkeypatch):
    write(spool, make_event(model).to_line())
    monkeypatch.setattr(ledger, "_store_sums", _fail)
    with pytest.raises(OperationalError):
        shipper.ship_once(spool)
    monkeypatch.undo()

    assert SpoolSegment.objects.get().offset == 0
    assert shipper.ship_once(spool) == 1


def _fail(*_: object) -> None:
    raise OperationalError("PostgreSQL went away")


def test_only_one_shipper_works_on_a_spool(spool):
    with shipper.only_one(spool) as first, shipper.only_one(spool) as second:
        assert (first, second) == (True, False)


def test_the_last_use_of_a_token_is_remembered(model, usage_event):
    token = EndpointToken.objects.get(model=model)

    usage_event(model, token_id=token.pk, at=NOON)
    usage_event(model, token_id=token.pk, at=NOON - timedelta(hours=1))

    token.refresh_from_db()
    assert token.last_used_at == NOON
