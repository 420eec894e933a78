"""A draft may begin with a text instead of a version, and then keeps a fact catalogue of its own."""

import django.db.models.deletion
from django.db import migrations, models

from salur.programmes import guards


class Migration(migrations.Migration):
    dependencies = [("programmes", "0008_standing_of_unit")]
    operations = [
        migrations.RunPython(guards.remove, guards.install),
        migrations.AlterField(
            "draft",
            "base",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="programmes.rulebookversion",
            ),
        ),
        migrations.CreateModel(
            name="DraftCatalogue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("raw", models.BinaryField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "draft",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="catalogue",
                        to="programmes.draft",
                    ),
                ),
            ],
        ),
        migrations.RunPython(guards.install, guards.remove),
    ]
