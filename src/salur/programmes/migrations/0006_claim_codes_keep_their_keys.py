"""Under which version of the keys a claim code was made. Those that there are count as made under the first."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("programmes", "0005_drafts")]

    operations = [
        migrations.AddField(
            "claimcode", "key_version", models.PositiveSmallIntegerField(default=1), preserve_default=False
        ),
        migrations.AddIndex(
            "claimcode",
            models.Index(
                fields=["key_version"], condition=Q(revoked_at__isnull=True), name="claim_code_by_key_version"
            ),
        ),
    ]
