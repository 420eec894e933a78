"""Row-level security by region (PostgreSQL)."""

from django.db import migrations

from salur.access.rows import protect

TABLES = ("person", "family", "identifier", "membership", "correction")


class Migration(migrations.Migration):
    dependencies = [("people", "0002_guards"), ("access", "0001_initial")]

    operations = [protect(f"people_{table}") for table in TABLES]
