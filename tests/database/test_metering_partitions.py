"""The ledger's months."""

from datetime import UTC, datetime

import pytest

from hosting.metering import closing, partitions
from hosting.models import ChainDay, UsageHour, UsageRecord
from hosting.router.usage import RequestIds
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 8, 2, tzinfo=UTC)


def test_months_are_made_ahead_once():
    made = partitions.ensure(now=datetime(2030, 11, 30, 23, tzinfo=UTC))

    assert [name[-7:] for name in made] == ["2030_11", "2030_12", "2031_01", "2031_02"]
    assert partitions.ensure(now=datetime(2030, 11, 30, 23, tzinfo=UTC)) == []


def test_a_record_is_kept_in_the_month_of_its_id(model, usage_event):
    partitions.ensure(now=NOON)

    usage_event(model, id=RequestIds().mint(now=NOON.timestamp()).decode())

    assert UsageRecord.objects.extra(where=["tableoid = 'hosting_usagerecord_2026_06'::regclass"])


def test_a_month_is_dropped_only_once_it_is_closed_and_its_rollups_stay(model, usage_event):
    partitions.ensure(now=NOON)
    usage_event(model, id=RequestIds().mint(now=NOON.timestamp()).decode())
    with pytest.raises(partitions.NotYet, match="June 2026 is not closed yet"):
        partitions.drop(NOON, now=LATER)

    closing.close_hours(now=LATER)

    assert partitions.drop(NOON, now=LATER) == 1
    assert not UsageRecord.objects.exists()
    assert UsageHour.objects.get().counted == 1
    assert ChainDay.objects.get().dropped_at == LATER
