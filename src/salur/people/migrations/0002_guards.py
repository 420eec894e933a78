from django.db import migrations

from salur.people import guards


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [migrations.RunPython(guards.install, guards.remove)]
