"""The proof: every kind of harm to the books is found, and the record it was done to is named."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.models import Team
from hosting.billing import invoicing, proof
from hosting.metering import closing, ledger, rollups, shipper
from hosting.models import Reconciliation, UsageHour, UsageMinute, UsageRecord
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db
JULY_2 = datetime(2026, 7, 2, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path):
    (tmp_path / "router-0").mkdir()
    return tmp_path


@pytest.fixture
def books(model, spool):
    """Twenty requests of June, spooled, shipped, rolled up and invoiced."""
    events = [make_event(model, at=NOON + timedelta(minutes=number)) for number in range(20)]
    path = spool / "router-0" / f"{1:016}.log"
    path.write_bytes(b"".join(event.to_line() for event in events))
    shipper.ship_once(spool, now=JULY_2)
    rollups.refresh()
    closing.close_hours(now=JULY_2)
    invoicing.issue_due(now=JULY_2)
    return [event.id for event in events]


def harm(statement: str, *values: str | int) -> None:
    """Do to the database what only somebody with all rights can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no triggers
        cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = origin")


def reconcile(spool=None) -> Reconciliation:
    return proof.reconcile(since=NOON.date(), until=JULY_2.date(), spool=spool, now=JULY_2)


def said(spool=None) -> list[tuple[str, str]]:
    return [(each["kind"], each["what"]) for each in reconcile(spool).findings]


def test_untouched_books_agree(books, spool, team):
    outcome = reconcile(spool)

    assert outcome.findings == []
    assert (outcome.records, outcome.spool_lines, outcome.invoices) == (20, 20, 1)
    assert proof.mark_of(team) == {
        "at": outcome.finished_at,
        "agrees": True,
        "findings": [],
    }


def test_books_agree_while_they_are_being_written(books, model, spool):
    ledger.record([make_event(model, at=NOON + timedelta(minutes=1))])
    ledger.record([make_event(model, at=JULY_2 - timedelta(hours=3))])

    assert said(spool) == []


def test_a_changed_record_is_found_by_chain_spool_and_rollup(books, spool):
    harm("UPDATE hosting_usagerecord SET counted = false WHERE id = %s", books[7])

    found = said(spool)

    assert ("tampered", f"Request {books[7]} (number 8 of 2026-06-01) was changed.") in found
    assert ("tampered", f"Request {books[7]} is not as it was spooled.") in found
    assert {kind for kind, _ in found} == {"tampered", "rollup"}


def test_a_missing_record_is_named_by_its_number_and_by_its_id(books, spool):
    harm("DELETE FROM hosting_usagerecord WHERE id = %s", books[3])

    found = said(spool)

    assert ("missing", "Request number 4 of 2026-06-01 is missing from the ledger.") in found
    assert ("missing", f"Request {books[3]} was spooled, not recorded.") in found


def test_a_doubled_record_is_named(books, spool):
    copy = "00000000-0000-4000-8000-000000000001"
    harm(
        "INSERT INTO hosting_usagerecord SELECT (json_populate_record(r,"
        " json_build_object('id', %s::text))).* FROM hosting_usagerecord r WHERE id = %s",
        copy,
        books[5],
    )

    kinds = dict(said(spool))

    assert "doubled" in kinds
    assert any(copy in words or books[5] in words for words in kinds.values())


def test_a_record_that_was_never_spooled_is_named_even_when_it_is_chained_well(books, spool, model):
    source = UsageRecord.objects.get(pk=books[0]).source_id
    event = make_event(model, at=NOON + timedelta(minutes=10))
    ledger.record([event], source_id=source)

    assert ("added", f"Request {event.id} was never spooled.") in said(spool)


def test_a_record_without_a_chain_is_named(books):
    harm("DELETE FROM hosting_chainday")

    assert {kind for kind, _ in said()} >= {"added"}


@pytest.mark.parametrize("table", [UsageHour, UsageMinute])
def test_a_changed_rollup_is_found(books, table):
    table.objects.update(requests=999)

    assert {kind for kind, _ in said()} == {"rollup"}


def test_a_changed_invoice_is_found(books):
    harm("UPDATE billing_invoiceline SET amount = 0.19")

    words = [what for _, what in said()]

    assert "DM-2026-0001: it was changed after it was issued." in words
    assert "DM-2026-0001: its lines don't add up to its subtotal." in words


def test_an_invoice_that_was_removed_leaves_a_hole_in_the_numbers(books):
    harm("DELETE FROM billing_invoiceline")
    harm("DELETE FROM billing_invoice")

    assert ("invoice", "DM-2026-0001 is missing.") in said()


def test_a_chain_made_anew_no_longer_fits_the_invoice(books, model):
    harm("DELETE FROM hosting_usagerecord")
    harm("DELETE FROM hosting_chainday")
    harm("UPDATE hosting_ledgerclock SET closed_until = '2000-01-01 00:00+00'")
    ledger.record([make_event(model, at=NOON + timedelta(minutes=n)) for n in range(20)])

    assert (
        "invoice",
        "DM-2026-0001: the chain of 2026-06-01 no longer has the record it was sealed with.",
    ) in said()


def test_one_team_s_mark_says_nothing_of_another_s_trouble(books, team):
    harm("UPDATE hosting_usagerecord SET status = 201 WHERE id = %s", books[0])
    reconcile()

    assert not proof.mark_of(team)["agrees"]
    assert proof.mark_of(Team.objects.create(name="Elsewhere"))["agrees"]
