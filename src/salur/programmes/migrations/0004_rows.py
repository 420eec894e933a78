"""Row-level security by region (PostgreSQL).

Reviews and cases have no region: they are seen with their decision. So is a standing, beside those of one's regions: a
unit that moved is stopped for everybody who decides about it. A family sees its own decisions.
"""

from django.db import migrations

from salur.access.rows import EVERYWHERE, FAMILY, protect
from salur.programmes import guards


def _decision(condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM programmes_decision d WHERE {condition})"


class Migration(migrations.Migration):
    dependencies = [("programmes", "0003_claim_tries"), ("access", "0001_initial")]

    operations = [
        protect("programmes_decision", reads=f"family_id = {FAMILY}"),
        protect("programmes_claimcode"),
        protect(
            "programmes_standing",
            reads=_decision(
                "d.unit_id = programmes_standing.unit_id AND d.programme = programmes_standing.programme"
            ),
        ),
        protect("programmes_review", f"{EVERYWHERE} OR {_decision('d.id = programmes_review.decision_id')}"),
        protect(
            "programmes_familycase",
            f"{EVERYWHERE} OR {_decision('d.family_id = programmes_familycase.family_id')}",
        ),
        migrations.RunPython(guards.install, migrations.RunPython.noop),
    ]
