from django.db import migrations

from salur.programmes import guards


class Migration(migrations.Migration):
    dependencies = [("programmes", "0001_initial")]

    operations = [migrations.RunPython(guards.install, guards.remove)]
