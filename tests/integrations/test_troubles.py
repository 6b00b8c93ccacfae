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
from integrations.models import CalendarConnection, OperatorTrouble
from sally import health
from sally.models import User
from tests.calendars.test_failures import refused
from tests.conftest import TOMAS, connect, make_user, sign_in_at_microsoft
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
        first = CalendarConnection.objects.order_by("created_at").first()
        assert first
        later = timezone.now() + timedelta(minutes=16)
        claimed, token = CalendarConnection.objects.filter(pk=first.pk).idle(later).claim(later, limit=1)
        sync.run(claimed[0], token)
        # The second need not wait for its quarter of an hour, and until then it is not over.
        assert OperatorTrouble.objects.exists()
        assert CalendarConnection.objects.due(timezone.now()).count() == 1
        sync_all()
        assert states() == {("connected", "")}
        assert not OperatorTrouble.objects.exists()

    def test_a_sign_in_meanwhile_says_so_and_connects_nothing(self, as_alice: Client, expired: Sandbox) -> None:
        from tests.integrations.test_views import said

        assert "Sally's administrator has to act first" in as_alice.get(ADD).content.decode().replace("&#x27;", "'")
        response = as_alice.get(sign_in_at_microsoft(as_alice, expired, TOMAS))
        assert said(response) == (
            "Sally's administrator has to act: Microsoft refuses Sally's own key. Nothing was connected. AADSTS7000215"
        )
        assert CalendarConnection.objects.count() == 2

    def test_a_trouble_with_another_error_in_between_is_over_all_the_same(
        self, settings: Settings, expired: Sandbox
    ) -> None:
        settings.MICROSOFT_CLIENT_SECRET = "the new one"
        for _ in range(2):
            expired.control("POST", "faults", json={"path": "/calendarView", "status": 502})
        sync_all()
        sync_all()
        assert states() == {("connected", "")}
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

    @pytest.mark.parametrize("code", ["AADSTS9002313", "INVALID_REQUEST", "AADSTS650053"])
    def test_only_what_no_persons_parameters_can_cause_counts_at_a_sign_in(self, code: str) -> None:
        assert not problems.is_own_fault(OperatorProblem(code=code))

    @pytest.mark.parametrize("code", ["AADSTS7000215", "AADSTS7000222", "AADSTS700016", "OPERATOR-0", "OPERATOR-1"])
    def test_the_operators_own_faults_do(self, code: str) -> None:
        assert problems.is_own_fault(OperatorProblem(code=code))

    def test_without_an_app_registration_the_first_try_tells_the_operator(self, as_alice: Client) -> None:
        as_alice.post("/settings/integrations/connect/microsoft-work/")
        assert OperatorTrouble.objects.get().code == "OPERATOR-0"


@pytest.mark.django_db
def test_a_trouble_that_nobody_meets_any_more_is_forgotten_after_a_day() -> None:
    OperatorTrouble.objects.create(code="OPERATOR-0", seen_at=timezone.now() - timedelta(hours=23))
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
    assert CalendarConnection.objects.all().troubled_codes() == []


def test_the_minutes_work_does_not_grow_with_the_connections(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CalendarConnection.objects.bulk_create(
        CalendarConnection(owner=alice, provider="microsoft-work", account_id=str(number)) for number in range(50)
    )
    with django_assert_num_queries(6):
        tasks.look_after()


@pytest.mark.django_db
def test_the_readiness_check_fails_while_there_is_one() -> None:
    ok = {finding.check.name: finding.ok for finding in health.findings()}
    assert ok["operator"]
    OperatorTrouble.objects.create(code="AADSTS7000222")
    reasons = {finding.check.name: finding.reason for finding in health.findings()}
    assert reasons["operator"] == "AADSTS7000222"
    assert Client().get("/readyz").status_code == 503
