"""What kind of evidence a correction rests on. Those written before have none and stay as they are."""

from django.db import migrations, models

from salur.people import guards


class Migration(migrations.Migration):
    dependencies = [("people", "0004_same_as_withdrawn")]
    operations = [
        migrations.AddField("correction", "evidence_kind", models.CharField(max_length=63, null=True)),
        migrations.RunPython(guards.with_evidence_kind, guards.without_evidence_kind),
    ]
