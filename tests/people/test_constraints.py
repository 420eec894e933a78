import pytest


@pytest.mark.usefixtures("database")
def test_x():
    from salur.people.models import Person

    assert Person.objects.create(name="Siti", region="35.10").id == 10**14
    from django.core.management import call_command

    call_command("migrate", "people", "zero", verbosity=0)
    call_command("migrate", "people", verbosity=0)
