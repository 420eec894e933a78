"""Row-level security by region (PostgreSQL)."""

from django.db import migrations

from salur.access.rows import protect


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_closed_is_closed"), ("access", "0001_initial")]

    operations = [protect("cases_case"), protect("cases_note")]
