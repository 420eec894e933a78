"""Who opened a cycle does not confirm corrections that change it, and who corrected it does not sign it."""

from django.db import migrations

from salur.programmes import guards


class Migration(migrations.Migration):
    dependencies = [
        ("programmes", "0006_claim_codes_keep_their_keys"),
        ("people", "0005_evidence_kind"),
    ]
    operations = [migrations.RunPython(guards.install, migrations.RunPython.noop)]
