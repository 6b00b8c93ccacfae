"""Servers that could not be reached: the cause for whoever runs Sally, and for nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from calendars import retention
from integrations.errors import NotReached
from integrations.models import CalendarConnection, UnreachableServer
from integrations.models.unreachable import MOST_ROWS
from sally.models import User
from tests.conftest import make_user

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "mail.quay.example"
CAUSE = "mail.quay.example resolves to 10.1.2.3, a private network that EXCHANGE_ALLOWED_NETWORKS does not list"
REMEDY = "EXCHANGE_ALLOWED_NETWORKS=10.1.2.3/32"


def blocked(host: str = HOST) -> NotReached:
    return NotReached(CAUSE, host=host, remedy=REMEDY)


@pytest.fixture
def connection(alice: User) -> CalendarConnection:
    return CalendarConnection.objects.create(
        owner=alice,
        provider="exchange",
        account_id=f"{HOST} ines@quay.example",
        account_email="ines@quay.example",
        server={"url": f"https://{HOST}/EWS/Exchange.asmx"},
        status="connected",
        next_sync_at=NOW,
    )


def begun(connection: CalendarConnection, now: datetime = NOW) -> CalendarConnection:
    """As a worker has it while it syncs."""
    claimed, token = CalendarConnection.objects.filter(pk=connection.pk).idle(now).claim(now, limit=1)
    found = CalendarConnection.objects.begin(claimed[0], token, now)
    assert found
    assert found.lease_token
    return found


@pytest.mark.django_db
class TestNoticing:
    def test_a_host_has_one_row_with_its_latest_cause(self) -> None:
        UnreachableServer.objects.notice(NotReached("does not answer", host="MAIL.quay.example"), NOW)
        UnreachableServer.objects.notice(blocked(), NOW + DAY)
        row = UnreachableServer.objects.get()
        assert (row.host, row.cause, row.remedy, row.times) == (HOST, CAUSE, REMEDY, 2)
        assert (row.since, row.seen_at) == (NOW, NOW + DAY)

    def test_without_a_host_there_is_nothing_to_tell(self) -> None:
        UnreachableServer.objects.notice(NotReached("somewhere"), NOW)
        assert not UnreachableServer.objects.exists()

    def test_there_are_two_hundred_at_most_and_the_oldest_go(self) -> None:
        for number in range(MOST_ROWS + 3):
            UnreachableServer.objects.notice(blocked(f"{number}.example"), NOW + number * DAY)
        assert UnreachableServer.objects.count() == 200
        assert not UnreachableServer.objects.filter(host__in=["0.example", "1.example", "2.example"]).exists()

    def test_a_failing_sync_tells_of_it(self, connection: CalendarConnection) -> None:
        worked_on = begun(connection)
        assert worked_on.lease_token
        worked_on.record_failure(worked_on.lease_token, blocked(), NOW)
        assert UnreachableServer.objects.get().cause == CAUSE
        connection.refresh_from_db()
        assert (connection.last_error, connection.last_error_kind, connection.status) == (
            "NET-2",
            "NotReached",
            "connected",
        )


@pytest.mark.django_db
class TestForgetting:
    def test_thirty_days_after_it_was_last_met(self) -> None:
        UnreachableServer.objects.notice(blocked(), NOW)
        assert retention.tidy(NOW + 30 * DAY)["unreachable servers"] == 0
        assert retention.tidy(NOW + 30 * DAY + timedelta(seconds=1))["unreachable servers"] == 1
        assert not UnreachableServer.objects.exists()

    def test_once_a_sync_reaches_it_again(self, connection: CalendarConnection) -> None:
        UnreachableServer.objects.notice(blocked("another.example"), NOW)
        for outcome in ("failure", "success"):
            worked_on = begun(connection, NOW + DAY)
            token = worked_on.lease_token
            assert token
            if outcome == "failure":
                worked_on.record_failure(token, blocked(), NOW)
                assert UnreachableServer.objects.count() == 2
            else:
                worked_on.record_unchanged(token, started=NOW, now=NOW, cursor="")
        assert UnreachableServer.objects.get().host == "another.example"


class TestDjangoAdmin:
    @pytest.fixture
    def address(self, db: None) -> str:
        UnreachableServer.objects.notice(blocked(), timezone.now())
        return f"/admin/integrations/unreachableserver/{UnreachableServer.objects.get().pk}/change/"

    def test_a_superuser_reads_the_cause_and_the_line(self, address: str, alice: User) -> None:
        client = Client()
        client.force_login(make_user("root@quay.example", alice.organization, is_superuser=True))  # type: ignore[arg-type]
        for path in ("/admin/integrations/unreachableserver/", address):
            page = client.get(path).content.decode()
            assert CAUSE in page
            assert REMEDY in page
        assert client.post(address, {"remedy": "nothing"}).status_code == 403
        assert UnreachableServer.objects.get().remedy == REMEDY

    def test_an_organizations_admin_does_not(self, address: str, alice: User) -> None:
        client = Client()
        client.force_login(make_user("anna@quay.example", alice.organization, role="admin"))  # type: ignore[arg-type]
        for path in ("/admin/integrations/unreachableserver/", address):
            assert client.get(path).status_code == 403
        assert "unreachableserver" not in client.get("/admin/").content.decode()
