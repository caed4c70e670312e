"""The books as the workers keep them, from a spool to a reconciled invoice."""

from datetime import UTC, datetime, timedelta

import pytest

from hosting.billing import books
from hosting.billing.models import Invoice
from hosting.metering import shipper
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db
JULY_2 = datetime(2026, 7, 2, tzinfo=UTC)


def test_from_the_spool_to_a_reconciled_invoice(model, tmp_path):
    (tmp_path / "router-0").mkdir()
    events = [make_event(model, at=NOON + timedelta(hours=number)) for number in range(5)]
    path = tmp_path / "router-0" / f"{1:016}.log"
    path.write_bytes(b"".join(event.to_line() for event in events))
    shipper.ship_once(tmp_path, now=JULY_2)

    books.keep(now=JULY_2)
    books.keep(now=JULY_2)
    outcome = books.prove(now=NOON + timedelta(days=1), spool=tmp_path)

    assert str(Invoice.objects.get().total) == "0.05"
    assert (outcome.findings, outcome.records, outcome.spool_lines) == ([], 5, 5)
