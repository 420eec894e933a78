"""A declaration that two ids are one person can be withdrawn, and its row is kept as it is otherwise."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

from salur.journal.constraints import keep, release
from salur.people import guards

TABLE = "people_sameas"
# Of an update: the region follows a person who moves; the rest is said once.
REFUSED = " OR ".join(
    [
        *(
            f"OLD.{column} <> NEW.{column}"
            for column in ("id", "person_id", "other_id", "evidence", "declared_by", "declared_at")
        ),
        'OLD."case" <> NEW."case"',
        *(
            f"(OLD.{word}_by <> '' AND (OLD.{word}_by <> NEW.{word}_by OR OLD.{word}_at <> NEW.{word}_at))"
            for word in ("confirmed", "withdrawn")
        ),
        "(OLD.withdrawn_by <> '' AND OLD.confirmed_by <> NEW.confirmed_by)",
    ]
)


def kept(_apps: Any, editor: Any) -> None:
    keep(editor, TABLE, "same_as_is_kept", refused_update=REFUSED)


def free(_apps: Any, editor: Any) -> None:
    release(editor, TABLE)


class Migration(migrations.Migration):
    dependencies = [("people", "0003_rows")]
    operations = [
        migrations.RunPython(guards.put_away, guards.put_back),
        migrations.AddField(
            "sameas", "withdrawn_by", models.CharField(blank=True, default="", max_length=80), False
        ),
        migrations.AddField("sameas", "withdrawn_at", models.DateTimeField(blank=True, null=True)),
        migrations.RemoveConstraint("sameas", "same_as_once"),
        migrations.AddConstraint(
            "sameas",
            models.UniqueConstraint(
                fields=["person", "other"], condition=Q(withdrawn_by=""), name="same_as_once"
            ),
        ),
        migrations.AddConstraint(
            "sameas",
            models.CheckConstraint(
                condition=Q(withdrawn_by="", withdrawn_at__isnull=True)
                | (~Q(withdrawn_by="") & Q(withdrawn_at__isnull=False)),
                name="same_as_withdrawn_by_and_at",
            ),
        ),
        migrations.AddConstraint(
            "sameas",
            models.CheckConstraint(
                condition=Q(withdrawn_by="")
                | Q(confirmed_by="")
                | (~Q(withdrawn_by=F("declared_by")) & ~Q(withdrawn_by=F("confirmed_by"))),
                name="same_as_undone_by_a_third",
            ),
        ),
        migrations.RunPython(guards.put_back, guards.put_away),
        migrations.RunPython(kept, free),
    ]
