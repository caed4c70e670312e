"""What keeps the books: every minute the sums, every night the proof. Each step may be repeated."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from hosting.billing import budgets, credits, invoicing, proof, quotas
from hosting.metering import closing, partitions, rollups
from hosting.models import Reconciliation

logger = logging.getLogger(__name__)

NIGHT = timedelta(days=3)  # how far back the nightly proof looks


def keep(*, now: datetime) -> None:
    """Roll up, close hours, expire credits, watch budgets, issue invoices."""
    partitions.ensure(now=now)
    shipped = quotas.shipped(now=now)
    rollups.refresh()
    closing.close_hours(now=now)
    credits.expire(now=now)
    budgets.check_all(now=now, shipped=shipped)
    for invoice in invoicing.issue_due(now=now):
        logger.info("issued %s: %s %s", invoice, invoice.total, invoice.currency)


def prove(*, now: datetime, spool: Path | None) -> Reconciliation:
    """Compare spool, ledger, rollups and invoices of the last days; remember what was found."""
    return proof.reconcile(
        since=(now - NIGHT).date(), until=now.date() + timedelta(days=1), spool=spool, now=now
    )
