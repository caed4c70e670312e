"""Versions run side by side while they roll: the one before knows nothing of new columns."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField

pytestmark = pytest.mark.django_db

# The newest of each app from before this was a rule.
BEFORE = {
    "accounts": "0001_initial",
    "hosting": "0017_warm_windows",
    "billing": "0005_quota_cap_allowed",
}


def added_columns() -> set[tuple[str, str]]:
    """Table and column of every field that a migration since added to a table that was there."""
    added = [
        apps.get_model(app, operation.model_name)._meta.get_field(operation.name)
        for (app, name), migration in MigrationLoader(connection).disk_migrations.items()
        if name > BEFORE.get(app, name)
        for operation in migration.operations
        if isinstance(operation, AddField)
    ]
    return {(field.model._meta.db_table, field.column) for field in added}


def columns_an_insert_must_name() -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND is_nullable = 'NO'"
            " AND column_default IS NULL AND is_identity = 'NO'"
        )
        return set(cursor.fetchall())


def test_who_does_not_know_a_new_column_can_insert_rows():
    assert ("hosting_replica", "image_missing") in added_columns()

    assert added_columns() & columns_an_insert_must_name() == set()
