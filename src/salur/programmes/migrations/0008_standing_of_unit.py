from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programmes", "0007_own_cycle")]
    operations = [
        migrations.AddIndex(
            "standing", models.Index(fields=["unit_id", "programme"], name="standing_of_unit")
        )
    ]
