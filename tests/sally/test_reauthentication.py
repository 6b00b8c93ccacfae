"""Asking for the password once more: when, how often it may be wrong, and where one comes back to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails

from sally.models import Organization, User
from sally.reauthentication import recently_confirmed
from tests.conftest import PASSWORD, make_user
from tests.sally.passwords import BARE_WORDS, ELSEWHERE, fail

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=15)
ADD = "/admin/sally/user/add/"
NOTHING = "Nothing was changed yet: please do once more what you were about to do."


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def anna(quay: Organization) -> User:
    return make_user("anna@quay.example", quay, name="Anna", role=User.Role.ADMIN)


@pytest.fixture
def as_anna(anna: User, clock: time_machine.Traveller) -> Client:
    client = Client()
    client.force_login(anna)
    return client


def confirm(client: Client, password: str = PASSWORD, **fields: str) -> Any:
    return client.post("/confirm/", {"password": password, **fields})


def asks(response: Any) -> bool:
    return bool(response.status_code == 302 and response["Location"].startswith("/confirm/?"))


def nora(**fields: str) -> dict[str, str]:
    values = {"email": "nora@quay.example", "name": "Nora", "role": "admin", "is_active": "on"}
    return values | {"language": "", "time_zone": ""} | fields


# --- When --------------------------------------------------------------------------------------------------------


def test_whoever_has_just_signed_in_is_not_asked(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER - timedelta(seconds=1))
    assert as_anna.get(ADD).status_code == 200


def test_after_a_quarter_of_an_hour_one_is_asked(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    response = as_anna.get(f"{ADD}?name=Nora")
    assert (response.status_code, response["Location"]) == (
        302,
        "/confirm/?next=%2Fadmin%2Fsally%2Fuser%2Fadd%2F%3Fname%3DNora",
    )


def test_confirming_is_good_for_another_quarter_of_an_hour(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    assert confirm(as_anna, next=ADD)["Location"] == ADD
    assert as_anna.get(ADD).status_code == 200
    clock.move_to(LATER + timedelta(minutes=15))
    assert asks(as_anna.get(ADD))


def test_use_alone_does_not_confirm(as_anna: Client, clock: time_machine.Traveller) -> None:
    for minutes in (5, 10, 15):
        clock.move_to(NOON + timedelta(minutes=minutes))
        as_anna.get("/meetings/")
    assert asks(as_anna.get(ADD))


def test_confirming_in_one_browser_is_not_confirming_in_another(
    anna: User, as_anna: Client, clock: time_machine.Traveller
) -> None:
    other = Client()
    other.force_login(anna)
    clock.move_to(LATER)
    confirm(other)
    assert asks(as_anna.get(ADD))


# --- What it protects --------------------------------------------------------------------------------------------


def test_an_old_session_gives_out_no_role(as_anna: Client, alice: User, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    form = nora(email=alice.email, name="Alice")
    assert asks(as_anna.post(f"/admin/sally/user/{alice.pk}/change/", form))
    alice.refresh_from_db()
    assert alice.role == "member"


def test_an_old_session_adds_nobody(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    assert asks(as_anna.post(ADD, nora()))
    assert not User.objects.filter(email="nora@quay.example").exists()
    assert mail.outbox == []


@pytest.mark.parametrize("action", ["delete_selected", "invite_again"])
def test_an_old_session_deletes_and_invites_nobody(alice: User, clock: time_machine.Traveller, action: str) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    client = Client()
    client.force_login(root)
    clock.shift(timedelta(minutes=15))
    chosen = {"action": action, "_selected_action": str(alice.pk), "post": "yes"}
    response = client.post("/admin/sally/user/", chosen)
    assert response.url.startswith("/confirm/?next=")  # type: ignore[attr-defined]
    assert User.objects.filter(pk=alice.pk).exists()


def test_an_old_session_may_still_look_at_the_list(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    assert as_anna.get("/admin/sally/user/").status_code == 200


def test_whoever_is_signed_out_is_asked_to_sign_in_not_to_confirm(db: None) -> None:
    assert Client().get(ADD)["Location"] == f"/admin/login/?next={ADD}"
    assert Client().get("/confirm/")["Location"] == "/sign-in/?next=/confirm/"


# --- The password ------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_beside_the_field(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    response = confirm(as_anna, "wrong", next=ADD)
    page = response.content.decode()
    assert response.status_code == 200
    assert "This is not your password. Please try again." in page
    assert 'aria-invalid="true" aria-describedby="id_password_error"' in page
    assert f'<input type="hidden" name="next" value="{ADD}">' in page
    assert asks(as_anna.get(ADD))


def test_somebody_elses_password_does_not_confirm(
    as_anna: Client, quay: Organization, clock: time_machine.Traveller
) -> None:
    other = make_user("olga@quay.example", quay)
    other.set_password("a password of Olga's own")
    other.save()
    clock.move_to(LATER)
    confirm(as_anna, "a password of Olga's own", username=other.email)
    assert asks(as_anna.get(ADD))


def test_the_fifth_wrong_password_locks_and_confirms_nothing(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    assert [confirm(as_anna, "wrong").status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert confirm(as_anna).status_code == 429
    assert asks(as_anna.get(ADD))


def test_wrong_passwords_here_and_at_the_sign_in_count_together(anna: User, as_anna: Client) -> None:
    fail(Client(), 4, anna.email)
    assert confirm(as_anna, "wrong").status_code == 429


def test_confirming_sets_the_count_back(as_anna: Client) -> None:
    for _ in range(2):
        assert [confirm(as_anna, "wrong").status_code for _ in range(4)] == [200] * 4
        assert confirm(as_anna).status_code == 302


def test_confirming_needs_the_csrf_token(anna: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)
    assert confirm(client).status_code == 403


# --- The way back ------------------------------------------------------------------------------------------------


def test_a_form_is_not_sent_again_but_told_of(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    asked = as_anna.post(ADD, nora(), headers={"referer": f"http://testserver{ADD}?name=Nora"}, follow=True)
    assert "Nothing was changed yet." in asked.content.decode()
    response = confirm(as_anna, next=asked.context["next"])
    assert response["Location"] == f"{ADD}?name=Nora"
    assert NOTHING in as_anna.get(response["Location"]).content.decode()
    assert not User.objects.filter(email="nora@quay.example").exists()


def test_it_is_told_of_once_and_only_after_a_form(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.move_to(LATER)
    as_anna.get(ADD)
    assert NOTHING not in as_anna.get(confirm(as_anna, next=ADD)["Location"]).content.decode()


@pytest.mark.parametrize("referer", ["", "https://evil.example/admin/", "javascript:alert(1)"])
def test_a_form_from_nowhere_leads_to_the_meetings(
    as_anna: Client, clock: time_machine.Traveller, referer: str
) -> None:
    clock.move_to(LATER)
    assert as_anna.post(ADD, nora(), headers={"referer": referer})["Location"] == "/confirm/?next=%2Fmeetings%2F"


@pytest.mark.parametrize("address", [*ELSEWHERE, *BARE_WORDS])
def test_confirming_leads_nowhere_else(as_anna: Client, address: str) -> None:
    page = as_anna.get("/confirm/", {"next": address}).content.decode()
    assert '<input type="hidden" name="next" value="/meetings/">' in page
    assert confirm(as_anna, next=address)["Location"] == "/meetings/"


def test_a_fragment_of_no_page_leads_to_the_meetings(as_anna: Client, clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(minutes=15))
    headers = {"HX-Request": "true", "HX-Current-URL": "http://["}
    assert (
        as_anna.get("/admin/sally/user/add/", headers=headers).headers["HX-Redirect"] == "/confirm/?next=%2Fmeetings%2F"
    )


def test_nobody_deletes_oneself(alice: User) -> None:
    root = make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]
    client = Client()
    client.force_login(root)
    client.post(f"/admin/sally/user/{root.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [str(root.pk), str(alice.pk)], "post": "yes"}
    client.post("/admin/sally/user/", chosen)
    assert list(User.objects.values_list("email", flat=True)) == [root.email]


def test_a_fragment_leads_the_whole_page_to_the_question(
    anna: User, as_anna: Client, clock: time_machine.Traveller
) -> None:
    clock.move_to(LATER)
    request = RequestFactory().post(
        "/x/", headers={"hx-request": "true", "hx-current-url": "http://testserver/settings/integrations/"}
    )
    request.user, request.session = anna, as_anna.session
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    response = recently_confirmed(lambda _request: HttpResponse("done"))(request)
    assert response.headers["HX-Redirect"] == "/confirm/?next=%2Fsettings%2Fintegrations%2F"
    assert response.content == b""
