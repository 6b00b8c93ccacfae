"""What only the operator can mend: nobody is bothered in vain, and all recovers by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from calendars import sync, tasks
from integrations import notices, problems
from integrations.errors import OperatorProblem
from integrations.fields import Ciphertext
from integrations.models import CalendarConnection, ConnectionSecret, OperatorTrouble
from integrations.models.troubles import setup
from sally import health
from sally.models import User
from tests.calendars.test_failures import refused
from tests.conftest import TOMAS, connect, make_user, sign_in_at_microsoft
from tests.integrations.looking import connected
from tests.sandbox_process import Sandbox

ADD = "/settings/integrations/add/"


def sync_all() -> None:
    """What the worker does with all that may be read now, due or not."""
    now = timezone.now()
    claimed, token = CalendarConnection.objects.idle(now).claim(now, limit=100)
    for pk in claimed:
        sync.run(pk, token)


def states() -> set[tuple[str, str]]:
    return set(CalendarConnection.objects.values_list("status", "last_error"))


@pytest.fixture
def two(as_alice: Client, bob: User, microsoft: Sandbox) -> Sandbox:
    """Alice's and Bob's calendars, synced; every sync asks for a new token."""
    microsoft.control("POST", "settings", json={"access_token_seconds": 60})
    connect(as_alice, microsoft)
    as_bob = Client()
    as_bob.force_login(bob)
    connect(as_bob, microsoft, TOMAS)
    sync_all()
    assert states() == {("connected", "")}
    return microsoft


@pytest.fixture
def root(alice: User) -> User:
    return make_user("root@quay.example", alice.organization, is_superuser=True)  # type: ignore[arg-type]


class TestAnExpiredClientSecret:
    @pytest.fixture(autouse=True)
    def expired(self, two: Sandbox) -> Sandbox:
        two.control("POST", "settings", json={"client_secret": "the new one"})
        sync_all()
        return two

    def test_users_read_who_has_to_act_and_are_offered_nothing(self, as_alice: Client) -> None:
        assert states() == {("connected", "AADSTS7000215")}
        page = as_alice.get("/settings/integrations/").content.decode()
        assert "Sally&#x27;s administrator has to act: Microsoft refuses Sally&#x27;s own key." in page
        assert "Sign in with Microsoft" not in page

    def test_users_get_no_mail_and_operators_one(self, root: User) -> None:
        for minute in range(3):
            sync_all()
            notices.send_due(timezone.now() + timedelta(minutes=minute))
        (sent,) = mail.outbox
        assert sent.to == [root.email]
        assert sent.subject == "Sally's administrator has to act (AADSTS7000215)"
        assert "Certificates & secrets" in sent.body
        assert "http://testserver/admin/integrations/operatortrouble/" in sent.body

    def test_without_a_superuser_the_admins_are_told(self, alice: User) -> None:
        admin = make_user("admin@quay.example", alice.organization, role="admin")  # type: ignore[arg-type]
        notices.send_due(timezone.now())
        assert [one.to for one in mail.outbox] == [[admin.email]]

    def test_a_mail_server_that_is_down_is_asked_again(self, root: User, settings: Settings) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        assert notices.send_due(timezone.now()) == 0
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert notices.send_due(timezone.now()) == 1

    def test_admins_see_it_on_every_page_of_django_admin_and_members_nowhere(self, root: User, bob: User) -> None:
        client = Client()
        client.force_login(root)
        for path in ("/admin/", "/admin/sally/user/", "/admin/integrations/operatortrouble/"):
            page = client.get(path).content.decode()
            assert "Microsoft refuses Sally&#x27;s client secret or certificate" in page
            assert "AADSTS7000215" in page
        client.force_login(bob)
        assert client.get("/admin/integrations/operatortrouble/").status_code == 302
        assert "client secret" not in client.get("/meetings/").content.decode()

    def test_it_is_one_trouble_however_many_connections_meet_it(self) -> None:
        trouble = OperatorTrouble.objects.get()
        assert (trouble.code, trouble.times) == ("AADSTS7000215", 2)

    def test_with_the_new_secret_all_recover_by_themselves(self, settings: Settings) -> None:
        settings.MICROSOFT_CLIENT_SECRET = "the new one"
        assert CalendarConnection.objects.due(timezone.now()).count() == 0
        tasks.look_after()  # sees that the operator has changed something: nobody waits for a quarter of an hour
        assert CalendarConnection.objects.due(timezone.now()).count() == 2
        sync_all()
        assert states() == {("connected", "")}
        tasks.look_after()
        assert not OperatorTrouble.objects.exists()

    def test_a_change_that_does_not_help_is_told_anew(self, root: User, settings: Settings) -> None:
        tasks.look_after()
        settings.MICROSOFT_CLIENT_SECRET = "not the right one either"
        tasks.look_after()
        sync_all()
        tasks.look_after()
        assert len(mail.outbox) == 2

    def test_mended_at_microsofts_side_one_success_wakes_the_others(self, expired: Sandbox, settings: Settings) -> None:
        expired.control("POST", "settings", json={"client_secret": settings.MICROSOFT_CLIENT_SECRET})
        tasks.look_after()
        assert OperatorTrouble.objects.exists()
        first = CalendarConnection.objects.order_by("created_at")[:1]
        now = timezone.now()
        (pk,), token = CalendarConnection.objects.filter(pk__in=first).idle(now).claim(now, limit=1)
        sync.run(pk, token)
        tasks.look_after()
        assert OperatorTrouble.objects.exists()  # until the last that waits is well
        assert CalendarConnection.objects.due(timezone.now()).count() == 1
        sync_all()
        tasks.look_after()
        assert not OperatorTrouble.objects.exists()

    @pytest.mark.parametrize("end", ["withdrawn", "disconnected", "paused"])
    def test_it_ends_however_those_who_waited_end(self, end: str, expired: Sandbox, settings: Settings) -> None:
        """The next answer is another refusal, the owner leaves, an admin pauses: nobody waits any more."""
        expired.control("POST", "settings", json={"client_secret": settings.MICROSOFT_CLIENT_SECRET})
        last, _first = CalendarConnection.objects.order_by("-created_at")
        if end == "withdrawn":
            expired.control("POST", "revoke", json={"email": TOMAS, "access_tokens": True})
        elif end == "disconnected":
            last.disconnect()
        else:
            last.pause()
        sync_all()
        tasks.look_after()
        assert not OperatorTrouble.objects.exists()

    def test_a_strangers_hiccup_does_not_end_it(self, root: User, bob: User, expired: Sandbox) -> None:
        """Somebody whose token is still good has a network error and recovers, while the secret is still wrong."""
        tasks.look_after()
        CalendarConnection.objects.filter(owner=bob).update(last_error_kind="Unavailable", last_error="NET-1")
        ConnectionSecret.objects.update(renewed_at=timezone.now() - timedelta(hours=1))
        tasks.look_after()
        tasks.look_after()
        assert OperatorTrouble.objects.get().times == 2
        assert len(mail.outbox) == 1

    def test_a_password_for_an_exchange_server_does_not_end_it(self, root: User, bob: User) -> None:
        """It says nothing about what Microsoft thinks of Sally."""
        ConnectionSecret.objects.update(renewed_at=timezone.now() - timedelta(hours=1))
        connected(bob)
        tasks.look_after()
        assert OperatorTrouble.objects.everybodys().exists()
        CalendarConnection.objects.exclude(provider="exchange").delete()
        tasks.look_after()
        assert OperatorTrouble.objects.exists()

    def test_a_superuser_may_take_it_away(self, root: User) -> None:
        client = Client()
        client.force_login(root)
        pk = OperatorTrouble.objects.get().pk
        client.post(f"/admin/integrations/operatortrouble/{pk}/delete/", {"post": "yes"})
        assert not OperatorTrouble.objects.exists()

    def test_a_sign_in_meanwhile_says_so_and_connects_nothing(self, as_alice: Client, expired: Sandbox) -> None:
        from tests.integrations.test_views import said

        assert "Sally's administrator has to act first" in as_alice.get(ADD).content.decode().replace("&#x27;", "'")
        response = as_alice.get(sign_in_at_microsoft(as_alice, expired, TOMAS))
        assert said(response) == (
            "Sally's administrator has to act: Microsoft refuses Sally's own key. Nothing was connected. AADSTS7000215"
        )
        assert CalendarConnection.objects.count() == 2


class TestOfOneOrganization:
    """Its admin removed Sally there; everybody else's calendars work."""

    @pytest.fixture(autouse=True)
    def removed(self, two: Sandbox, bob: User) -> None:
        """Bob's connection fails for an hour, while Alice's goes on."""
        for _ in range(4):
            two.control("POST", "faults", json=refused("unauthorized_client", 700016))
            self.sync(bob)
        ConnectionSecret.objects.exclude(connection__owner=bob).update(renewed_at=timezone.now())

    def sync(self, owner: User) -> CalendarConnection:
        now = timezone.now()
        mine = CalendarConnection.objects.filter(owner=owner)
        (pk,), token = mine.idle(now).claim(now, limit=1)
        sync.run(pk, token)
        return mine.get()

    def test_it_is_told_to_the_operator_but_is_not_everybodys(self, as_alice: Client) -> None:
        assert OperatorTrouble.objects.get().code == "AADSTS700016"
        assert not OperatorTrouble.objects.everybodys().exists()
        reasons = {finding.check.name: finding.reason for finding in health.findings()}
        assert reasons["operator"] == ""
        assert "administrator has to act first" not in as_alice.get(ADD).content.decode()

    def test_after_an_hour_its_people_can_help_themselves(self, two: Sandbox, bob: User) -> None:
        two.control("POST", "faults", json=refused("unauthorized_client", 700016))
        row = self.sync(bob)
        assert (row.status, row.last_error_kind, row.last_error) == ("needs_attention", "OnlyHere", "AADSTS700016")
        assert row.problem
        assert row.problem.reconnect
        assert "Your organization seems to have removed Sally." in str(row.problem.text)
        as_bob = Client()
        as_bob.force_login(bob)
        connect(as_bob, two, TOMAS)
        assert self.sync(bob).status == "connected"
        tasks.look_after()
        assert not OperatorTrouble.objects.exists()

    def test_where_nobody_elses_works_it_stays_the_operators(self, two: Sandbox, bob: User) -> None:
        ConnectionSecret.objects.update(renewed_at=timezone.now() - timedelta(hours=3))
        connected(User.objects.exclude(pk=bob.pk)[0])  # at an Exchange server
        two.control("POST", "faults", json=refused("unauthorized_client", 700016))
        assert self.sync(bob).status == "connected"
        assert OperatorTrouble.objects.everybodys().exists()


def test_a_lost_key_of_one_row_ends_in_a_reconnect(as_alice: Client, two: Sandbox, bob: User) -> None:
    mine = CalendarConnection.objects.get(owner=bob)
    ConnectionSecret.objects.filter(pk=mine.pk).update(payload=Ciphertext("of another key"))
    for _ in range(6):
        sync_all()
    mine.refresh_from_db()
    assert (mine.status, mine.last_error) == ("needs_attention", "KEYS")
    assert mine.problem
    assert "cannot be opened any more. Sign in again" in str(mine.problem.text)


def test_what_only_sign_ins_meet_is_over_when_one_succeeds_and_not_before(as_alice: Client, two: Sandbox) -> None:
    """A renewed token proves nothing about the address that people come back to."""
    callback = sign_in_at_microsoft(as_alice, two)
    two.control("POST", "faults", json=refused("invalid_client", 500112, status=401))
    as_alice.get(callback)
    sync_all()
    tasks.look_after()
    assert OperatorTrouble.objects.get().code == "AADSTS500112"
    connect(as_alice, two)
    tasks.look_after()
    assert not OperatorTrouble.objects.exists()


class TestWhoMayRaiseAnAlarm:
    def test_not_a_person_with_a_forged_callback(self, as_alice: Client, microsoft: Sandbox) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        state = callback.partition("state=")[2].partition("&")[0]
        path = callback.partition("?")[0]
        as_alice.get(f"{path}?state={state}&error=invalid_client&error_description=AADSTS7000215")
        assert not OperatorTrouble.objects.exists()

    def test_nor_with_a_code_that_is_none(self, as_alice: Client, microsoft: Sandbox) -> None:
        callback = sign_in_at_microsoft(as_alice, microsoft)
        microsoft.control("POST", "faults", json=refused("invalid_request", 9002313))
        as_alice.get(callback)
        assert not OperatorTrouble.objects.exists()

    @pytest.mark.parametrize("code", ["AADSTS9002313", "INVALID_REQUEST", "AADSTS650053", "AADSTS700016"])
    def test_only_what_no_persons_parameters_can_cause_counts_at_a_sign_in(self, code: str) -> None:
        assert not problems.is_own_fault(OperatorProblem(code=code))

    @pytest.mark.parametrize("code", ["AADSTS7000215", "AADSTS7000222", "AADSTS500112", "OPERATOR-0", "OPERATOR-1"])
    def test_the_operators_own_faults_do(self, code: str) -> None:
        assert problems.is_own_fault(OperatorProblem(code=code))

    def test_without_an_app_registration_the_first_try_tells_the_operator_until_there_is_one(
        self, as_alice: Client, settings: Settings
    ) -> None:
        as_alice.post("/settings/integrations/connect/microsoft-work/")
        tasks.look_after()
        assert OperatorTrouble.objects.get().code == "OPERATOR-0"
        settings.MICROSOFT_CLIENT_ID = "now there is one"
        tasks.look_after()
        assert not OperatorTrouble.objects.exists()


@pytest.mark.django_db
def test_a_trouble_that_nobody_meets_any_more_is_forgotten_after_a_day() -> None:
    OperatorTrouble.objects.create(code="OPERATOR-0", seen_at=timezone.now() - timedelta(hours=23), setup=setup())
    tasks.look_after()
    assert OperatorTrouble.objects.exists()
    OperatorTrouble.objects.update(seen_at=timezone.now() - timedelta(hours=25))
    tasks.look_after()
    assert not OperatorTrouble.objects.exists()


def test_a_connection_that_rests_keeps_no_trouble_alive(alice: User) -> None:
    CalendarConnection.objects.create(
        owner=alice, provider="microsoft-work", account_id="a", status="paused", last_error="KEYS",
        last_error_kind="OperatorProblem",
    )  # fmt: skip
    assert CalendarConnection.objects.all().troubled_codes() == set()


def test_the_minutes_work_does_not_grow_with_the_connections(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CalendarConnection.objects.bulk_create(
        CalendarConnection(owner=alice, provider="microsoft-work", account_id=str(number)) for number in range(50)
    )
    with django_assert_num_queries(11):
        tasks.look_after()


@pytest.mark.django_db
def test_the_readiness_check_fails_while_there_is_one_for_all() -> None:
    health.beat(timezone.now())
    assert Client().get("/readyz").status_code == 200
    OperatorTrouble.objects.create(code="AADSTS7000222")
    reasons = {finding.check.name: finding.reason for finding in health.findings()}
    assert reasons["operator"] == "AADSTS7000222"
    assert Client().get("/readyz").status_code == 503
