"""Who may reach what, walked over the whole URL table: nothing changes by looking, and nobody reaches another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, clear_url_caches, path, reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from calendars.models import Meeting
from integrations.models import CalendarConnection, OperatorTrouble, UnreachableServer
from sally import urls
from sally.models import Organization, User
from tests.conftest import make_user
from tests.walking import Address, World, addresses, digest, signed_in

REGISTERED = sorted(django_admin.site._registry, key=lambda model: model._meta.label)
# Addresses that only take a post.
POST_ONLY = [
    "sign-out",
    "connect",
    "meeting-sally",
    "sync-now",
    "set-option",
    "end-session",
    "end-other-sessions",
    "dismiss-approval",
    "download-my-data",
]
# Models whose rows belong to no organization, for every admin to read and nobody to change.
EVERY_ADMINS = [OperatorTrouble]
# Django admin's own that any admin may post to, and that concern nobody else.
OWN_BUSINESS = ("/admin/login/", "/admin/logout/", "/admin/password_change/", "/admin/jsi18n/")


@pytest.fixture
def anna(alice: User) -> User:
    """Admin of Alice's and Bob's organization."""
    return make_user("anna@quay.example", alice.organization, role="admin")  # type: ignore[arg-type]


@pytest.fixture
def root(db: None) -> User:
    """A superuser, who belongs to no organization."""
    return User.objects.create_superuser("root@sally.example", "a password", language="en")


@pytest.fixture
def theirs(alice: User) -> World:
    return World.of(alice)


def changed(before: dict[str, str]) -> list[str]:
    after = digest()
    return [table for table in before if before[table] != after[table]]


# --- Looking changes nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["alice", "anna", "root"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(
    theirs: World, anna: User, root: User, person: str, method: str, microsoft_is_away: None
) -> None:
    user = {"alice": theirs.owner, "anna": anna, "root": root}[person]
    before = digest()
    wrong = []
    for address in addresses(theirs):
        client = signed_in(user)  # anew each time: one of them may end the session
        User.objects.filter(pk=user.pk).update(last_login=None)
        before = digest()
        response = getattr(client, method)(address.path)
        wrong += [f"{address.path} ({response.status_code}) changed {table}" for table in changed(before)]
    assert wrong == []


@pytest.fixture
def microsoft_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("looking asks no provider")

    monkeypatch.setattr("integrations.http.Session.request", refuse)


def test_a_digest_tells_a_changed_row_and_does_not_mind_sessions(theirs: World) -> None:
    before = digest()
    signed_in(theirs.owner)
    User.objects.update(last_login=None)
    assert changed(before) == []
    Meeting.objects.update(subject="Something else")
    assert changed(before) == ["calendars.Meeting"]


@pytest.mark.parametrize("name", POST_ONLY)
@pytest.mark.parametrize("method", ["get", "head"])
def test_what_only_takes_a_post_says_so(theirs: World, name: str, method: str) -> None:
    (address,) = [one for one in addresses(theirs) if one.pattern.name == name]
    response = getattr(signed_in(theirs.owner), method)(address.path)
    assert (response.status_code, response.headers["Allow"].replace("OPTIONS, ", "")) in [
        (405, "POST"),
        (405, "POST, OPTIONS"),
    ]


# --- An object is its owner's alone ------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["bob", "charlie", "anna", "root"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_to_anybody_else_an_object_does_not_exist(
    theirs: World, bob: User, charlie: User, anna: User, root: User, person: str, method: str
) -> None:
    """A colleague, somebody of another organization, an admin: all the same. Or the method is nobody's: 405."""
    user = {"bob": bob, "charlie": charlie, "anna": anna, "root": root}[person]
    before = digest()
    client, codes = signed_in(user), {}
    User.objects.filter(pk=user.pk).update(last_login=None)
    for address in objects(theirs):
        codes[address.path] = getattr(client, method)(address.path).status_code
    assert set(codes.values()) <= {404, 405}, codes
    assert changed(before) == []


def test_every_object_is_denied_by_one_method_at_least(theirs: World, bob: User) -> None:
    """405 alone would prove nothing."""
    client = signed_in(bob)
    for address in objects(theirs):
        assert 404 in (client.get(address.path).status_code, client.post(address.path).status_code), address.path


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_signed_out_is_led_to_the_sign_in(theirs: World, method: str) -> None:
    before = digest()
    for address in objects(theirs):
        response = getattr(Client(), method)(address.path)
        led = response.status_code == 302 and response.headers["Location"].startswith(f"{reverse('sign-in')}?next=")
        assert led or response.status_code == 405, f"{address.path}: {response.status_code}"
    assert changed(before) == []


def test_the_owner_reaches_each(theirs: World) -> None:
    """Otherwise the tests above would prove that the addresses are wrong."""
    client = signed_in(theirs.owner)
    for address in objects(theirs):
        assert client.get(address.path).status_code in (200, 405), address.path


def test_the_walk_knows_each_kind_of_object(theirs: World) -> None:
    kinds = {type(theirs.connection), Meeting, type(theirs.sign_in), type(theirs.session)}
    assert {type(one) for one in theirs.objects.values()} == kinds
    for before, name in theirs.objects:
        assert any(one.has_object and one.path.startswith(before) for one in addresses(theirs)), (before, name)


@pytest.mark.parametrize("route", ["rooms/<uuid:room>/", "meetings/<int:pk>/notes/<int:note>/", "rooms/<int:pk>/"])
def test_the_walk_stops_at_what_nobody_has_taught_it(
    theirs: World, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(*_args: object, **_kwargs: object) -> HttpResponse:
        return HttpResponse()

    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path(route, view)])
    clear_url_caches()
    try:
        with pytest.raises(LookupError, match=r"tests/walking\.py does not know"):
            addresses(theirs)
    finally:
        monkeypatch.undo()
        clear_url_caches()


def objects(world: World) -> list[Address]:
    return [address for address in addresses(world) if address.has_object and not address.in_admin]


# --- Django admin ------------------------------------------------------------------------------------------------


def rows_of(model: type[Model], world: World) -> Model | None:
    """What of this model belongs to the world's owner; None where rows belong to no organization."""
    return {
        User: world.owner,
        Organization: world.owner.organization,
        CalendarConnection: world.connection,
        Meeting: world.meeting,
    }.get(model)


def place(model: type[Model], page: str = "changelist", *args: object) -> str | None:
    """The address of a model's page in Django admin; None where there is none."""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
    except NoReverseMatch:
        return None


def is_visible(model: type[Model], user: User) -> bool:
    request = RequestFactory().get("/")
    request.user = user
    return django_admin.site._registry[model].has_view_permission(request)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
class TestAdmin:
    def test_a_member_reaches_no_page(self, model: type[Model], theirs: World) -> None:
        client = signed_in(theirs.owner)
        for page, args in (("changelist", ()), ("add", ()), ("change", (1,)), ("history", (1,)), ("delete", (1,))):
            if address := place(model, page, *args):
                for response in (client.get(address), client.post(address, {})):
                    assert response.status_code == 302
                    assert response.headers["Location"].startswith("/admin/login/")

    def test_a_superuser_sees_all(self, model: type[Model], theirs: World, charlie: User, root: User) -> None:
        foreign = rows_of(model, World.of(charlie))
        page = signed_in(root).get(str(place(model)))
        assert page.status_code == 200
        if foreign is not None and (address := place(model, "change", foreign.pk)):
            assert address in page.content.decode()
            assert signed_in(root).get(address).status_code == 200

    def test_an_organizations_admin_sees_its_rows_and_no_others(
        self, model: type[Model], theirs: World, charlie: User, anna: User
    ) -> None:
        own, foreign = rows_of(model, theirs), rows_of(model, World.of(charlie))
        page = signed_in(anna).get(str(place(model)))
        if not is_visible(model, anna):
            assert page.status_code == 403
            return
        if model in EVERY_ADMINS:
            assert page.status_code == 200
            return
        assert own is not None, "tests/test_access.py has to learn which rows of this model are whose (rows_of)"
        assert foreign is not None
        shown = page.content.decode()
        assert str(place(model, "change", own.pk)) in shown
        assert str(place(model, "change", foreign.pk)) not in shown
        assert str(foreign) not in shown

    @pytest.mark.parametrize("page", ["change", "history", "delete"])
    def test_an_organizations_admin_reaches_no_others_row_by_address(
        self, model: type[Model], page: str, theirs: World, charlie: User, anna: User
    ) -> None:
        foreign = rows_of(model, World.of(charlie)) or self.without_organization(model)
        address = place(model, page, foreign.pk) if foreign else None
        if address is None:
            return
        client = signed_in(anna)
        User.objects.update(last_login=None)
        before = digest()
        values = {"post": "yes", "name": "Taken over", "email": "taken@quay.example", "role": "admin", "subject": "x"}
        for response in (client.get(address), client.post(address, values)):
            assert response.status_code in (302, 403, 404)
            assert str(foreign) not in response.content.decode()
        assert changed(before) == []

    def test_an_organizations_admin_acts_on_no_others_row(
        self, model: type[Model], theirs: World, charlie: User, anna: User
    ) -> None:
        foreign = rows_of(model, World.of(charlie)) or self.without_organization(model)
        if model in EVERY_ADMINS:
            foreign = model._base_manager.create()
        if foreign is None:
            return
        request = RequestFactory().get("/")
        request.user = anna
        actions = [*(str(name) for name in django_admin.site._registry[model].get_actions(request)), "delete_selected"]
        client = signed_in(anna)
        User.objects.update(last_login=None)
        before = digest()
        for action in actions:
            for confirmed in ({}, {"post": "yes"}):
                client.post(str(place(model)), {"action": action, "_selected_action": str(foreign.pk)} | confirmed)
        assert changed(before) == []

    def without_organization(self, model: type[Model]) -> Model | None:
        now = timezone.now()
        make: dict[Any, Callable[[], Model]] = {
            Schedule: lambda: Schedule.objects.create(name="s", func="somebody.elses"),
            Failure: lambda: Failure.objects.create(
                id="1", name="a failure", func="f", started=now, stopped=now, success=False
            ),
            UnreachableServer: lambda: UnreachableServer.objects.create(
                host="a.server.example", cause="a cause", since=now, seen_at=now
            ),
            OrmQ: lambda: OrmQ.objects.create(key="sally", payload="", lock=now),
        }
        return make[model]() if model in make else None


def test_no_more_of_django_admin_than_models_takes_posts(theirs: World, anna: User, charlie: User) -> None:
    """Every other address of it, posted to by an organization's admin, changes nothing."""
    World.of(charlie)
    models = tuple(str(place(model)) for model in REGISTERED)
    client = signed_in(anna)
    User.objects.update(last_login=None)
    before = digest()
    for address in addresses(theirs):
        if address.in_admin and not address.path.startswith((*models, *OWN_BUSINESS)):
            assert client.post(address.path).status_code in (200, 302, 403, 404, 405)
    assert changed(before) == []
