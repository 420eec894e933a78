"""Drafts of rulebooks, what was saved of them, and their simulations."""

import django.db.models.deletion
from django.db import migrations, models

from salur.programmes import guards


class Migration(migrations.Migration):
    dependencies = [
        ("programmes", "0004_rows"),
    ]

    operations = [
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("programme", models.CharField(max_length=60)),
                ("begun_by", models.CharField(max_length=40)),
                ("begun_at", models.DateTimeField()),
                ("ended_by", models.CharField(blank=True, max_length=40)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "base",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="programmes.rulebookversion",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drafts",
                        to="programmes.rulebookversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DraftRevision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("n", models.PositiveIntegerField()),
                ("raw", models.BinaryField()),
                ("sha256", models.CharField(max_length=64)),
                ("saved_by", models.CharField(max_length=40)),
                ("saved_at", models.DateTimeField()),
                (
                    "draft",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="revisions",
                        to="programmes.draft",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DraftRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sample", models.PositiveSmallIntegerField()),
                ("attempt", models.PositiveIntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("stage", models.CharField(blank=True, max_length=40)),
                ("done", models.PositiveIntegerField(default=0)),
                ("whole", models.PositiveIntegerField(default=0)),
                ("result", models.JSONField(null=True)),
                ("faults", models.JSONField(default=list)),
                ("asked_by", models.CharField(max_length=40)),
                ("asked_at", models.DateTimeField()),
                ("job", models.BigIntegerField(null=True)),
                (
                    "against",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="programmes.rulebookversion"
                    ),
                ),
                (
                    "population",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="programmes.population"
                    ),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="programmes.draftrevision",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="draft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("ended_by", ""), ("version__isnull", True)),
                    models.Q(models.Q(("ended_by", ""), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="draft_ended_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="draftrevision",
            constraint=models.UniqueConstraint(fields=("draft", "n"), name="draft_revision_once"),
        ),
        migrations.AddConstraint(
            model_name="draftrun",
            constraint=models.UniqueConstraint(
                fields=("revision", "population", "against", "sample"), name="draft_run_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="draftrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("result__isnull", False), ("state", "done")),
                    models.Q(models.Q(("state", "done"), _negated=True), ("result__isnull", True)),
                    _connector="OR",
                ),
                name="draft_run_done_with_a_result",
            ),
        ),
        migrations.RunPython(guards.install, migrations.RunPython.noop),
    ]
