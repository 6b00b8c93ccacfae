"""Django admin: who gets in, what an organization's admin can reach, and what no page ever shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from django_q.models import Failure, Schedule

from calendars.models import Meeting
from integrations.models import CalendarConnection, ConnectionSecret, SignIn
from sally.models import Organization, User
from tests.conftest import PASSWORD, make_user

CANARY = "a-refresh-token-that-nobody-may-see"
STATUS = CalendarConnection.Status

# Mails leave when the request has committed, which tests inside one transaction never do.
commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna(quay: Organization) -> User:
    """Admin of Alice's and Bob's organization."""
    return make_user("anna@quay.example", quay, name="Anna", role=User.Role.ADMIN)


@pytest.fixture
def as_anna(anna: User) -> Client:
    return signed_in(anna)


@pytest.fixture
def root(db: None) -> User:
    """A superuser, who belongs to no organization."""
    return User.objects.create_superuser("root@sally.example", PASSWORD, language="en")


@pytest.fixture
def as_root(root: User) -> Client:
    return signed_in(root)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def connection_of(owner: User, **fields: Any) -> CalendarConnection:
    values = {
        "provider": "microsoft-work",
        "account_id": "1.2",
        "account_email": owner.email,
        "status": STATUS.CONNECTED,
    }
    connection = CalendarConnection.objects.create(owner=owner, **(values | fields))
    ConnectionSecret.objects.replace(connection, {"cache": CANARY})
    return connection


def meeting_of(owner: User, subject: str) -> Meeting:
    start = datetime(2030, 5, 6, 7, 0, tzinfo=UTC)
    return Meeting.objects.create(
        connection=connection_of(owner),
        calendar_id="c",
        external_id=subject,
        subject=subject,
        start=start,
        end=start + timedelta(hours=1),
        location="a place that only the person may read",
        join_url="https://teams.example/l/only-for-the-person",
    )


def add_user(client: Client, **fields: str) -> Any:
    values = {"email": "nora@quay.example", "name": "Nora", "role": "member", "is_active": "on"}
    values |= {"language": "", "time_zone": ""}
    return client.post("/admin/sally/user/add/", values | fields, follow=True)


def change_user(client: Client, user: User, **fields: str) -> Any:
    values = {"email": user.email, "name": user.name, "role": user.role, "is_active": "on"}
    values |= {"language": user.language, "time_zone": user.time_zone}
    return client.post(f"/admin/sally/user/{user.pk}/change/", values | fields)


def act(client: Client, path: str, action: str, *pks: object) -> Any:
    values = {"action": action, "_selected_action": [str(pk) for pk in pks]}
    return client.post(path, values, follow=True)


def rows(client: Client, path: str) -> str:
    return str(client.get(path).content.decode())


# --- Who gets in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "sally/user/", "integrations/calendarconnection/", "calendars/meeting/"])
def test_members_do_not_get_in(as_alice: Client, path: str) -> None:
    response = as_alice.get(f"/admin/{path}")
    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next=/admin/{path}")


def test_an_admin_who_was_deactivated_does_not_get_in(anna: User, as_anna: Client) -> None:
    User.objects.update(is_active=False)
    assert as_anna.get("/admin/").status_code == 302


def test_an_organizations_admin_sees_people_connections_and_meetings_only(as_anna: Client) -> None:
    linked = set(re.findall(r'href="/admin/(\w+/\w+)/"', rows(as_anna, "/admin/")))
    connections = {"integrations/calendarconnection", "integrations/operatortrouble"}
    assert linked == {"sally/organization", "sally/user", "calendars/meeting"} | connections


@pytest.mark.parametrize("model", ["schedule", "failure", "ormq"])
def test_the_queue_is_the_superusers_business(as_anna: Client, model: str) -> None:
    assert as_anna.get(f"/admin/django_q/{model}/").status_code == 403


def test_superusers_see_schedules_and_failed_tasks(as_root: Client) -> None:
    assert Schedule.objects.filter(name="dispatch due connections").exists()
    Failure.objects.create(
        id="1", name="winter-lion", func="calendars.tasks.dispatch_due", result="it broke",
        started=timezone.now(), stopped=timezone.now(), success=False,
    )  # fmt: skip
    assert "dispatch due connections" in rows(as_root, "/admin/django_q/schedule/")
    assert "winter-lion" in rows(as_root, "/admin/django_q/failure/")
    assert "it broke" in rows(as_root, "/admin/django_q/failure/1/change/")


# --- Inviting ----------------------------------------------------------------------------------------------------


@commits
def test_adding_a_user_sends_an_invitation_that_works(as_anna: Client, quay: Organization) -> None:
    page = add_user(as_anna).content.decode()
    assert "An invitation was sent to nora@quay.example." in page
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["nora@quay.example"], "Your invitation to Sally")
    address = re.search(r"http://testserver(/invitation/\S+)", str(message.body))
    assert address
    browser = Client()
    form = browser.get(address[1], follow=True).request["PATH_INFO"]
    new = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert browser.post(form, new, follow=True).request["PATH_INFO"] == "/meetings/"


def test_a_user_added_by_an_organizations_admin_belongs_to_it(
    as_anna: Client, charlie: User, quay: Organization
) -> None:
    add_user(as_anna, organization=str(charlie.organization_id), is_superuser="on")
    nora = User.objects.get(email="nora@quay.example")
    assert (nora.organization, nora.is_superuser, nora.has_usable_password()) == (quay, False, False)


def test_a_superuser_chooses_the_organization(as_root: Client, charlie: User) -> None:
    add_user(as_root, organization=str(charlie.organization_id))
    assert User.objects.get(email="nora@quay.example").organization == charlie.organization


@commits
def test_an_invitation_is_in_the_language_of_the_user(as_anna: Client) -> None:
    add_user(as_anna, language="de")
    assert "Einladung" in mail.outbox[0].subject


@commits
def test_an_inactive_user_is_not_invited_yet(as_anna: Client) -> None:
    add_user(as_anna, is_active="")
    assert User.objects.get(email="nora@quay.example").is_active is False
    assert mail.outbox == []


def test_an_invitation_goes_out_only_after_the_user_is_stored(as_anna: Client) -> None:
    values = {"email": "nora@quay.example", "role": "member", "is_active": "on"}
    as_anna.post("/admin/sally/user/add/", values)  # nothing commits in this test
    assert User.objects.filter(email="nora@quay.example").exists()
    assert mail.outbox == []


def test_an_address_with_other_letters_is_the_same_user(as_anna: Client, alice: User) -> None:
    page = add_user(as_anna, email="ALICE@quay.example").content.decode()
    assert "User with this E-mail address already exists." in page
    assert "user_email_any_case" not in page
    assert mail.outbox == []


@commits
def test_a_mail_server_that_is_down_is_said_and_the_user_stays(
    as_anna: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    page = add_user(as_anna).content.decode()
    assert "The invitation of nora@quay.example could not be sent" in page
    assert User.objects.filter(email="nora@quay.example").exists()


def test_an_invitation_can_be_sent_again(as_anna: Client, quay: Organization) -> None:
    nora = User.objects.create_user("nora@quay.example", organization=quay)
    page = act(as_anna, "/admin/sally/user/", "invite_again", nora.pk).content.decode()
    assert "An invitation was sent to nora@quay.example." in page
    assert [message.to for message in mail.outbox] == [["nora@quay.example"]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"password": PASSWORD},
            "No invitation for nora@quay.example, who can reset the password instead.",
        ),
        ({"is_active": False}, "No invitation for nora@quay.example, who is not active."),
    ],
)
def test_who_needs_no_invitation_gets_none(
    as_anna: Client, quay: Organization, fields: dict[str, Any], words: str
) -> None:
    nora = User.objects.create_user("nora@quay.example", organization=quay, **fields)
    assert words in act(as_anna, "/admin/sally/user/", "invite_again", nora.pk).content.decode()
    assert mail.outbox == []


def test_nobody_of_another_organization_can_be_invited_again(as_anna: Client, charlie: User) -> None:
    User.objects.filter(pk=charlie.pk).update(password="!")
    act(as_anna, "/admin/sally/user/", "invite_again", charlie.pk)
    assert mail.outbox == []


def test_an_admin_without_an_organization_cannot_invite(db: None) -> None:
    lost = User.objects.create_user("lost@sally.example", PASSWORD, role=User.Role.ADMIN)
    assert signed_in(lost).get("/admin/sally/user/add/").status_code == 403


# --- An organization's admin stays inside ------------------------------------------------------------------------


def test_an_organizations_admin_sees_only_their_own_people(as_anna: Client, alice: User, charlie: User) -> None:
    page = rows(as_anna, "/admin/sally/user/")
    assert "alice@quay.example" in page
    assert "charlie@elsewhere.example" not in page


def test_an_organizations_admin_sees_only_their_own_organization(as_anna: Client, charlie: User) -> None:
    page = rows(as_anna, "/admin/sally/organization/")
    assert "Harbour &amp; Quay" in page
    assert "Elsewhere" not in page


def test_an_organizations_admin_sees_only_their_own_connections(as_anna: Client, alice: User, charlie: User) -> None:
    connection_of(alice)
    connection_of(charlie)
    page = rows(as_anna, "/admin/integrations/calendarconnection/")
    assert "alice@quay.example" in page
    assert "charlie@elsewhere.example" not in page


def test_an_organizations_admin_sees_only_their_own_meetings(as_anna: Client, alice: User, charlie: User) -> None:
    meeting_of(alice, "Crane inspection")
    meeting_of(charlie, "Secret merger")
    page = rows(as_anna, "/admin/calendars/meeting/")
    assert "Crane inspection" in page
    assert "Secret merger" not in page


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_another_organizations_objects_cannot_be_reached_by_address(as_anna: Client, charlie: User, page: str) -> None:
    meeting = meeting_of(charlie, "Secret merger")
    for path in (
        f"sally/user/{charlie.pk}",
        f"sally/organization/{charlie.organization_id}",
        f"integrations/calendarconnection/{meeting.connection_id}",
        f"calendars/meeting/{meeting.pk}",
    ):
        response = as_anna.get(f"/admin/{path}/{page}/")
        assert response.status_code in (302, 403)
        assert "Secret merger" not in response.content.decode()


def test_another_organizations_user_cannot_be_changed(as_anna: Client, charlie: User) -> None:
    change_user(as_anna, charlie, email="mine@quay.example")
    charlie.refresh_from_db()
    assert charlie.email == "charlie@elsewhere.example"


@pytest.mark.parametrize("action", ["sync_now", "pause", "resume"])
def test_another_organizations_connection_cannot_be_acted_on(as_anna: Client, charlie: User, action: str) -> None:
    connection = connection_of(charlie)
    act(as_anna, "/admin/integrations/calendarconnection/", action, connection.pk)
    connection.refresh_from_db()
    assert (connection.status, connection.next_sync_at) == ("connected", None)


def test_an_organizations_admin_cannot_make_a_superuser(as_anna: Client, alice: User) -> None:
    assert change_user(as_anna, alice, is_superuser="on").status_code == 302
    alice.refresh_from_db()
    assert alice.is_superuser is False


def test_an_organizations_admin_cannot_become_a_superuser(as_anna: Client, anna: User) -> None:
    change_user(as_anna, anna, is_superuser="on")
    anna.refresh_from_db()
    assert anna.is_superuser is False


def test_an_organizations_admin_moves_nobody(as_anna: Client, alice: User, charlie: User, quay: Organization) -> None:
    change_user(as_anna, alice, organization=str(charlie.organization_id))
    alice.refresh_from_db()
    assert alice.organization == quay


def test_an_organizations_admin_makes_another_admin(as_anna: Client, alice: User) -> None:
    change_user(as_anna, alice, role="admin")
    alice.refresh_from_db()
    assert alice.role == "admin"


def test_an_organizations_admin_cannot_edit_a_superuser(as_anna: Client, quay: Organization) -> None:
    boss = User.objects.create_superuser("boss@quay.example", PASSWORD, organization=quay)
    assert change_user(as_anna, boss, email="mine@quay.example").status_code == 403
    boss.refresh_from_db()
    assert boss.email == "boss@quay.example"


@pytest.mark.parametrize("path", ["sally/user", "sally/organization"])
def test_an_organizations_admin_deletes_nothing(as_anna: Client, alice: User, quay: Organization, path: str) -> None:
    pk = alice.pk if path == "sally/user" else quay.pk
    assert as_anna.post(f"/admin/{path}/{pk}/delete/", {"post": "yes"}).status_code == 403
    assert act(as_anna, f"/admin/{path}/", "delete_selected", pk).status_code == 200
    assert User.objects.filter(pk=alice.pk).exists()
    assert Organization.objects.filter(pk=quay.pk).exists()


def test_an_organizations_admin_adds_no_organization(as_anna: Client) -> None:
    assert as_anna.get("/admin/sally/organization/add/").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "sally/user/?password__startswith=md5",
        "sally/user/?last_login__gt=2020-01-01",
        "sally/user/?organization__name=Elsewhere",
        "integrations/calendarconnection/?owner__password__startswith=md5",
        "integrations/calendarconnection/?secret__payload__startswith=g",
        "integrations/calendarconnection/?cursor__startswith=a",
        "calendars/meeting/?location__startswith=a",
        "calendars/meeting/?connection__owner__password__startswith=md5",
    ],
)
def test_no_filter_spells_out_what_the_page_does_not_show(as_anna: Client, alice: User, query: str) -> None:
    meeting_of(alice, "Crane inspection")
    response = as_anna.get(f"/admin/{query}", follow=True)
    assert response.status_code == 400 or "e=1" in response.request["QUERY_STRING"]


@pytest.mark.parametrize(
    "query",
    [
        "sally/user/?role__exact=member",
        "sally/user/?is_active__exact=1",
        "integrations/calendarconnection/?status__exact=connected",
        "calendars/meeting/?start__year=2030",
    ],
)
def test_the_filters_on_the_page_work(as_anna: Client, alice: User, query: str) -> None:
    meeting_of(alice, "Crane inspection")
    response = as_anna.get(f"/admin/{query}")
    assert response.status_code == 200
    assert "1 " in response.content.decode()


# --- What no page shows ------------------------------------------------------------------------------------------


def test_no_page_about_a_connection_shows_a_secret(as_root: Client, alice: User) -> None:
    connection = connection_of(alice, cursor="a-cursor-of-the-server")
    SignIn.objects.create(
        user=alice, provider="microsoft-work", state_digest="0" * 64, flow={"code_verifier": CANARY},
        expires_at=timezone.now(),
    )  # fmt: skip
    with database.cursor() as cursor:
        cursor.execute("SELECT payload FROM integrations_connectionsecret")
        (sealed,) = cursor.fetchone()
    for page in ("", f"{connection.pk}/change/", f"{connection.pk}/history/", "?q=alice"):
        text = rows(as_root, f"/admin/integrations/calendarconnection/{page}")
        assert CANARY not in text
        assert str(sealed)[:40] not in text
        assert "a-cursor-of-the-server" not in text
        assert "code_verifier" not in text


def test_secrets_and_sign_ins_have_no_pages(as_root: Client) -> None:
    for model in ("connectionsecret", "signin"):
        assert as_root.get(f"/admin/integrations/{model}/").status_code == 404


def test_a_private_appointment_is_its_owners_alone(as_root: Client, alice: User) -> None:
    meeting = meeting_of(alice, "Oncologist")
    Meeting.objects.update(private=True)
    assert "Oncologist" not in as_root.get("/admin/calendars/meeting/").content.decode()
    assert "Oncologist" not in as_root.get("/admin/calendars/meeting/?q=Onco").content.decode()
    assert "Oncologist" not in as_root.get(f"/admin/calendars/meeting/{meeting.pk}/change/").content.decode()


def test_a_meeting_shows_times_and_subject_only(as_root: Client, alice: User) -> None:
    meeting = meeting_of(alice, "Crane inspection")
    for page in ("", f"{meeting.pk}/change/"):
        text = rows(as_root, f"/admin/calendars/meeting/{page}")
        assert "Crane inspection" in text
        assert "a place that only the person may read" not in text
        assert "only-for-the-person" not in text


def test_a_user_page_shows_no_password_hash(as_root: Client, alice: User) -> None:
    text = rows(as_root, f"/admin/sally/user/{alice.pk}/change/")
    assert "alice@quay.example" in text
    assert alice.password not in text


# --- Actions on connections --------------------------------------------------------------------------------------


def test_sync_now_makes_a_connection_due(as_anna: Client, alice: User) -> None:
    connection = connection_of(alice, next_sync_at=timezone.now() + timedelta(hours=1))
    page = act(as_anna, "/admin/integrations/calendarconnection/", "sync_now", connection.pk).content.decode()
    assert "1 connection changed." in page
    connection.refresh_from_db()
    assert connection.next_sync_at is not None
    assert connection.next_sync_at <= timezone.now()


def test_sync_now_leaves_a_paused_connection_alone(as_anna: Client, alice: User) -> None:
    connection = connection_of(alice, status=STATUS.PAUSED)
    page = act(as_anna, "/admin/integrations/calendarconnection/", "sync_now", connection.pk).content.decode()
    assert "0 connections changed." in page
    connection.refresh_from_db()
    assert connection.next_sync_at is None


def test_a_paused_connection_is_not_due_until_it_is_resumed(as_anna: Client, alice: User) -> None:
    connection = connection_of(alice, next_sync_at=timezone.now())
    act(as_anna, "/admin/integrations/calendarconnection/", "pause", connection.pk)
    assert list(CalendarConnection.objects.due(timezone.now())) == []
    act(as_anna, "/admin/integrations/calendarconnection/", "resume", connection.pk)
    assert list(CalendarConnection.objects.due(timezone.now())) == [connection]


# --- Organizations and deletions ---------------------------------------------------------------------------------


ADD_ORGANIZATION = "/admin/sally/organization/add/"


@pytest.mark.parametrize("domains", ['"company.com"', '{"company.com": 1}', "[1]", '["company"]'])
def test_internal_domains_must_be_a_list_of_domains(as_root: Client, domains: str) -> None:
    page = as_root.post(ADD_ORGANIZATION, {"name": "Pier", "internal_domains": domains}).content.decode()
    assert "Write domains as a list, for example [&quot;company.com&quot;]." in page


@pytest.mark.parametrize(
    ("typed", "kept"), [('["@Quay.Example "]', ["quay.example"]), ("[]", []), ("", []), ("null", [])]
)
def test_internal_domains_are_kept_in_one_spelling(as_root: Client, typed: str, kept: list[str]) -> None:
    assert as_root.post(ADD_ORGANIZATION, {"name": "Pier", "internal_domains": typed}).status_code == 302
    assert Organization.objects.get(name="Pier").internal_domains == kept


@pytest.mark.parametrize("admin", ["as_root", "as_anna"])
def test_the_domains_of_an_organization_are_changed_where_it_is_shown_first_what_that_means(
    request: pytest.FixtureRequest, quay: Organization, admin: str
) -> None:
    client: Client = request.getfixturevalue(admin)
    address = f"/admin/sally/organization/{quay.pk}/change/"
    page = client.get(address).content.decode()
    elsewhere = f"/settings/meeting-assistant/organization/?organization={quay.pk}"
    assert f'<a href="{elsewhere}">They are changed on the page of the Meeting Assistant' in page
    assert 'name="internal_domains"' not in page
    assert client.get(elsewhere).status_code == 200
    client.post(address, {"name": "Quay", "internal_domains": '["evil.example"]'})
    quay.refresh_from_db()
    assert (quay.name, quay.internal_domains) == ("Quay", ["quay.example"])


def test_deleting_a_user_deletes_connections_secrets_and_meetings(as_root: Client, alice: User) -> None:
    meeting_of(alice, "Crane inspection")
    assert as_root.post(f"/admin/sally/user/{alice.pk}/delete/", {"post": "yes"}).status_code == 302
    assert [model.objects.count() for model in (CalendarConnection, ConnectionSecret, Meeting)] == [0, 0, 0]


def test_an_organization_with_people_is_not_deleted(as_root: Client, alice: User, quay: Organization) -> None:
    page = as_root.post(f"/admin/sally/organization/{quay.pk}/delete/", {"post": "yes"}).content.decode()
    assert "alice@quay.example" in page
    assert Organization.objects.filter(pk=quay.pk).exists()


# --- Content security policy -------------------------------------------------------------------------------------

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*(?:\ssrc=|type=\"application/json\"))")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "sally/user/",
        "sally/user/add/",
        "sally/user/{user}/change/",
        "sally/user/{user}/delete/",
        "sally/user/{user}/history/",
        "sally/organization/add/",
        "integrations/calendarconnection/",
        "integrations/calendarconnection/{connection}/change/",
        "calendars/meeting/",
        "django_q/schedule/",
        "django_q/failure/",
        "django_q/ormq/",
    ],
)
def test_the_pages_need_no_inline_script_or_style(as_root: Client, alice: User, path: str) -> None:
    meeting = meeting_of(alice, "Crane inspection")
    response = as_root.get("/admin/" + path.format(user=alice.pk, connection=meeting.connection_id))
    assert response.status_code == 200
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert INLINE.findall(response.content.decode()) == []


def test_an_organizations_admin_cannot_change_a_members_address(as_anna: Client, alice: User) -> None:
    """The password reset would be sent there, and the admin could act as the member."""
    form = {"email": "mine@elsewhere.example", "name": "Alice", "role": "member", "is_active": "on"}
    as_anna.post(f"/admin/sally/user/{alice.pk}/change/", form | {"language": "en", "time_zone": "Europe/Berlin"})
    alice.refresh_from_db()
    assert alice.email == "alice@quay.example"


@pytest.mark.parametrize("model", ["schedule", "failure", "ormq"])
def test_the_queue_can_only_be_looked_at(quay: Organization, model: str) -> None:
    """With django-q2's own pages a superuser's session could run any function of Python's on the server."""
    client = Client()
    client.force_login(make_user("root@quay.example", quay, is_superuser=True))
    assert client.get(f"/admin/django_q/{model}/").status_code == 200
    assert client.get(f"/admin/django_q/{model}/add/").status_code == 403
    assert client.post(f"/admin/django_q/{model}/add/", {"func": "os.system"}).status_code == 403


# --- Nonsense ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        "[" * 5000 + "]" * 5000,
        f"[{'9' * 5000}]",
        '["\\ud800.com"]',
        '["\\u0000.com"]',
        '["com"]',
        '["a b.com"]',
        '["-.com"]',
        "{",
    ],
)
def test_domains_that_are_none_are_refused(as_root: Client, nonsense: str) -> None:
    response = as_root.post(ADD_ORGANIZATION, {"name": "Q", "internal_domains": nonsense})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not Organization.objects.filter(name="Q").exists()


def test_domains_are_kept_as_people_write_them(as_root: Client) -> None:
    text = '["Company.com", " @sub.company.co.uk", "müller.example", "xn--mller-kva.example"]'
    as_root.post(ADD_ORGANIZATION, {"name": " Pier\n& Co ", "internal_domains": text})
    pier = Organization.objects.get(name="Pier & Co")
    assert pier.internal_domains == ["company.com", "sub.company.co.uk", "müller.example", "xn--mller-kva.example"]


def test_a_search_for_a_thousand_words_is_answered(as_root: Client) -> None:
    assert as_root.get("/admin/sally/user/", {"q": "a " * 1100}).status_code == 200
