"""People and organizations: what may be stored, and who may enter Django admin."""

from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from sally.models import Organization, User, validate_time_zone
from tests.conftest import PASSWORD


def test_addresses_are_stored_in_lower_case(quay: Organization) -> None:
    assert User.objects.create_user("  Nora@Quay.Example ", PASSWORD).email == "nora@quay.example"


def test_the_database_itself_keeps_one_address_one_person(alice: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="ALICE@quay.example")])


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({}, False),
        ({"role": User.Role.ADMIN}, True),
        ({"is_superuser": True}, True),
        ({"role": User.Role.ADMIN, "is_active": False}, False),
        ({"is_superuser": True, "is_active": False}, False),
    ],
)
def test_active_admins_may_enter_django_admin(fields: dict[str, object], may: bool) -> None:
    assert User(email="nora@quay.example", **fields).is_staff is may


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Calcutta"])
def test_names_of_the_tz_database_are_time_zones(name: str) -> None:
    validate_time_zone(name)


@pytest.mark.parametrize("name", ["", "europe/berlin", "W. Europe Standard Time", "+02:00", "../UTC", "Europe"])
def test_other_names_are_no_time_zones(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_time_zone(name)


@pytest.mark.parametrize(
    ("stored", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("", "UTC"),
        ("Atlantis/Capital", "UTC"),
        ("../etc", "UTC"),
        ("Europe", "UTC"),
    ],
)
def test_a_zone_that_this_machine_does_not_know_is_utc(stored: str, zone: str) -> None:
    assert User(time_zone=stored).zone == ZoneInfo(zone)


def test_a_person_without_a_name_is_called_by_address() -> None:
    assert User(email="nora@quay.example").get_short_name() == "nora@quay.example"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ines \n Falk ", "Ines Falk"),
        ("\u202eklaF senI\u202c", "klaF senI"),
        ("Ines\x00\x1b[31m Falk", "Ines[31m Falk"),
        ("\u2066Ines\u2069", "Ines"),
        ("नी\u200dता 👩\u200d💻", "नी\u200dता 👩\u200d💻"),
    ],
)
def test_a_name_turns_and_hides_nothing(typed: str, kept: str) -> None:
    """It stands on the page and in the mail by which a stranger is to trust who asks."""
    user = User(email="ines@quay.example", name=typed)
    user.clean()
    assert user.name == kept
    organization = Organization(name=typed)
    organization.clean()
    assert organization.name == kept
