"""The first look at an Exchange calendar: what is found out, and that a refused password costs one login."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import requests
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorInvalidOperation,
    ErrorInvalidRequest,
    ErrorNonExistentMailbox,
    EWSError,
)

from integrations.accounts import SignedIn
from integrations.errors import NotReached, PasswordRefused, ProviderError, ReconnectNeeded, Unavailable
from integrations.http import IN_A_PAGE
from integrations.models.trials import TRIAL_LASTS
from integrations.providers.exchange import EXCHANGE, connecting, library
from integrations.providers.exchange.connecting import open_client
from integrations.trail import Trail
from tests.conftest import INES, TOMAS
from tests.contracts import CALENDAR
from tests.integrations.ews.test_client import BERLIN, typed
from tests.sandbox_process import Sandbox


def switch(sandbox: Sandbox, **switches: Any) -> None:
    sandbox.control("POST", "settings", json=switches)
    sandbox.control("DELETE", "log")


def look(sandbox: Sandbox, **changed: str) -> SignedIn:
    return EXCHANGE.look(typed(sandbox, **changed), Trail())


@pytest.mark.parametrize("username", ["QUAY\\ines", "ines@quay.example", "quay\\INES", "INES@quay.example"])
@pytest.mark.parametrize(("offers", "auth"), [("negotiate ntlm", "ntlm"), ("basic", "basic"), ("basic ntlm", "ntlm")])
def test_whatever_the_user_name_the_mailboxs_address_is_found(
    microsoft: Sandbox, username: str, offers: str, auth: str
) -> None:
    switch(microsoft, exchange_offers=offers)
    account = look(microsoft, username=username)
    assert (account.email, account.server["auth"]) == (INES, auth)
    assert account.account_id == f"localhost/{INES}"
    assert account.secret == {"password": microsoft.exchange_password}


def test_ntlm_names_the_tls_connection_it_came_through(microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox demands it, as today's servers do: what names another connection is refused."""
    switch(microsoft, exchange_offers="ntlm")
    assert look(microsoft).email == INES
    monkeypatch.setattr("requests_ntlm.requests_ntlm._get_certificate_hash", lambda _: b"x" * 32)
    with pytest.raises(PasswordRefused):
        look(microsoft)


def test_what_was_found_out_is_kept_so_that_later_syncs_do_not_probe(microsoft: Sandbox) -> None:
    switch(microsoft, exchange_version="15.1.2507.35", exchange_offers="basic")
    account = look(microsoft, username="QUAY\\ines")
    assert account.server == {
        "url": microsoft.exchange_url,
        "username": "QUAY\\ines",
        "auth": "basic",
        "version": "Exchange2016",
        "build": "15.1.2507.35",
        "chosen": "",
    }
    microsoft.control("DELETE", "log")
    client = open_client(account.server, account.secret["password"], BERLIN, lambda: None, Trail())
    client.poll("")
    client.close()
    assert [(one["status"], one["operation"], one["login"]) for one in microsoft.log()] == [
        (200, "SyncFolderItems", "ok")
    ]


class TestVersions:
    @pytest.mark.parametrize("newest", ["Exchange2016", "Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2"])
    def test_the_newest_that_the_server_knows_is_found(self, microsoft: Sandbox, newest: str) -> None:
        switch(microsoft, exchange_schema=newest)
        assert look(microsoft).server["version"] == newest

    def test_it_is_looked_for_once(self, microsoft: Sandbox) -> None:
        switch(microsoft, exchange_schema="Exchange2010_SP2", exchange_offers="basic")
        look(microsoft)
        statuses = [one["status"] for one in microsoft.log()]
        # The question without a name, three versions that are too new, and then the three operations of a look.
        assert statuses == [401, 500, 500, 500, 200, 200, 200]

    @pytest.mark.parametrize(
        ("chosen", "spoken"),
        [
            ("2019", "Exchange2016"),
            ("2016", "Exchange2016"),
            ("2013-sp1", "Exchange2013_SP1"),
            ("2013", "Exchange2013"),
            ("2010", "Exchange2010_SP2"),
        ],
    )
    def test_what_was_chosen_is_spoken(self, microsoft: Sandbox, chosen: str, spoken: str) -> None:
        server = look(microsoft, version=chosen).server
        assert (server["version"], server["chosen"]) == (spoken, chosen)

    def test_what_was_chosen_and_is_not_known_is_said_and_nothing_else_tried(self, microsoft: Sandbox) -> None:
        switch(microsoft, exchange_schema="Exchange2013", exchange_offers="basic")
        with pytest.raises(ReconnectNeeded) as refused:
            look(microsoft, version="2016")
        assert refused.value.code == "EWS-VERSION"
        assert microsoft.logins() == ["ok"]

    def test_an_operation_that_no_version_knows_says_nothing_about_them(
        self, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a server answers that has no ConvertId."""
        refused = _raise(ErrorInvalidRequest("no"))
        monkeypatch.setattr("integrations.providers.exchange.library.ConvertId._get_soap_messages", refused)
        account = look(microsoft, username="QUAY\\tomas")
        assert (account.email, account.server["version"]) == (TOMAS, "Exchange2016")

    def test_a_server_too_old_for_all_of_them_is_said_to_be(self, microsoft: Sandbox) -> None:
        switch(microsoft, exchange_schema="Exchange2007_SP1", exchange_offers="basic")
        with pytest.raises(ReconnectNeeded) as refused:
            look(microsoft)
        assert refused.value.code == "EWS-OLD"


class TestAServerThatIsSlow:
    def test_a_look_does_not_outlast_the_guard_that_keeps_a_second_window_away(
        self, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert connecting.LONGEST_LOOK + sum(dataclasses.astuple(IN_A_PAGE)) < TRIAL_LASTS.total_seconds()
        switch(microsoft, exchange_offers="basic")
        monkeypatch.setattr(connecting, "LONGEST_LOOK", 0.0)
        with pytest.raises(NotReached):
            look(microsoft)
        assert microsoft.logins() == []

    def test_whose_mailbox_it_is_does_not_depend_on_a_bad_moment(
        self, microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(library.ConvertId, "send", _raise(requests.Timeout()))
        with pytest.raises(NotReached):
            look(microsoft, username="QUAY\\ines")


class TestARefusedPassword:
    @pytest.mark.parametrize(
        "switches",
        [
            {"exchange_offers": "basic"},
            {"exchange_offers": "ntlm"},
            {"exchange_offers": "negotiate ntlm basic"},
            {"exchange_offers": "basic ntlm"},
            {"exchange_offers": "basic", "exchange_close_on_401": True},
            {"exchange_offers": "ntlm basic", "exchange_schema": "Exchange2010_SP2"},
            {"exchange_offers": "basic", "exchange_schema": "Exchange2010_SP2"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("version", ["", "2016"])
    def test_it_costs_one_login(self, microsoft: Sandbox, switches: dict[str, Any], version: str) -> None:
        switch(microsoft, **switches)
        with pytest.raises(PasswordRefused) as refused:
            look(microsoft, password="not-the-password", version=version)
        assert refused.value.code == "PASSWORD"
        assert microsoft.logins() == ["refused"]

    @pytest.mark.parametrize("offers", ["basic", "ntlm"])
    def test_with_what_is_stored_it_costs_one_too(self, microsoft: Sandbox, offers: str) -> None:
        switch(microsoft, exchange_offers=offers)
        account = look(microsoft)
        microsoft.control("POST", f"exchange/{INES}", json={"password": "another-one"})
        microsoft.control("DELETE", "log")
        client = open_client(account.server, account.secret["password"], BERLIN, lambda: None, Trail())
        with pytest.raises(PasswordRefused):
            client.poll("")
        client.close()
        assert microsoft.logins() == ["refused"]

    @pytest.mark.parametrize(
        ("state", "code"), [("locked", "LOCKED"), ("expired", "PW-EXPIRED"), ("disabled", "EWS-DISABLED")]
    )
    @pytest.mark.parametrize("offers", ["basic", "ntlm"])
    def test_a_right_password_that_opens_nothing_is_told_apart(
        self, microsoft: Sandbox, offers: str, state: str, code: str
    ) -> None:
        switch(microsoft, exchange_offers=offers)
        microsoft.control("POST", f"exchange/{INES}", json={"state": state})
        with pytest.raises(PasswordRefused) as refused:
            look(microsoft)
        assert refused.value.code == code
        assert len(microsoft.logins()) == 1


@pytest.mark.parametrize("offers", ["ntlm", "basic"])
@pytest.mark.parametrize("password", ["p\u00e4ssw\u00f6rd", "\u5bc6\u7801-\u20ac", 'a"b\\c:d&e', " spaces "])
def test_passwords_of_any_letters(microsoft: Sandbox, offers: str, password: str) -> None:
    switch(microsoft, exchange_offers=offers)
    microsoft.control("POST", f"exchange/{INES}", json={"password": password})
    assert look(microsoft, password=password).email == INES


@pytest.mark.parametrize("offers", ["negotiate", ""])
def test_a_server_that_offers_nothing_sally_can_use_learns_no_password(microsoft: Sandbox, offers: str) -> None:
    switch(microsoft, exchange_offers=offers)
    with pytest.raises(Unavailable) as refused:
        look(microsoft)
    assert refused.value.code == "EWS-AUTH"
    assert microsoft.logins() == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("html", "EWS-PAGE"),
        ("redirect", "EWS-REDIRECT"),
        ("404", "EWS-404"),
        ("403", "EWS-403"),
        ("503", "EWS-BUSY"),
        ("cas", "EWS-CAS"),
        ("busy", "EWS-BUSY"),
        ("ErrorMailboxMoveInProgress", "EWS-MOVE"),
        ("ErrorMailboxStoreUnavailable", "EWS-STORE"),
        ("ErrorNonExistentMailbox", "EWS-MAILBOX"),
        ("ErrorAccessDenied", "EWS-DENIED"),
        ("ErrorFolderNotFound", "EWS-FOLDER"),
        ("ErrorPasswordExpired", "PW-EXPIRED"),
        ("ErrorQuotaExceeded", "EWS-ErrorQuotaExceeded"),
    ],
)
def test_what_a_server_does_instead_has_its_code(microsoft: Sandbox, answer: str, code: str) -> None:
    switch(microsoft, exchange_answer=answer, exchange_offers="basic")
    with pytest.raises(ProviderError) as raised:
        look(microsoft)
    assert raised.value.code == code
    assert len(microsoft.logins()) <= 1
    assert microsoft.exchange_password not in str(raised.value)


def test_an_untrusted_certificate_has_its_code(microsoft: Sandbox, settings: Any) -> None:
    settings.CA_BUNDLE = ""
    with pytest.raises(Unavailable) as raised:
        look(microsoft)
    assert raised.value.code == "TLS-1"


def test_a_plain_port_has_its_code(microsoft: Sandbox, settings: Any) -> None:
    plain = microsoft.pages_url.removeprefix("http://")
    settings.EXCHANGE_SANDBOX = plain
    account = typed(microsoft)
    address = type(account.address)("localhost", int(plain.rpartition(":")[2]))
    with pytest.raises(Unavailable) as raised:
        EXCHANGE.look(type(account)(address, INES, "never-sent"), Trail())
    assert raised.value.code == "TLS-2"


def test_the_calendar_is_really_read(microsoft: Sandbox) -> None:
    microsoft.control("DELETE", "log")
    look(microsoft)
    assert microsoft.operations()["FindItem"] == 1


def test_a_server_that_does_not_know_whose_mailbox_it_is_takes_the_user_name(
    microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = EWSError("no such operation")
    monkeypatch.setattr(library.ConvertId, "send", _raise(nothing))
    assert look(microsoft, username="QUAY\\tomas").email == TOMAS  # by its address book
    microsoft.control("PUT", "mailboxes/inessa@quay.example", text=CALENDAR)
    assert look(microsoft, username="QUAY\\ines").email == "QUAY\\ines"  # which has two of that name
    monkeypatch.setattr(library.ResolveNames, "send", _raise(nothing))
    assert look(microsoft, username=INES).email == INES
    account = look(microsoft, username="QUAY\\ines")
    assert (account.email, account.account_id) == ("QUAY\\ines", "localhost/quay\\ines")


@pytest.mark.parametrize("refusal", [ErrorAccessDenied, ErrorNonExistentMailbox, ErrorInvalidOperation])
def test_a_server_that_refuses_that_question_is_connected_all_the_same(
    microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]
) -> None:
    monkeypatch.setattr(library.ConvertId, "send", _raise(refusal("no")))
    assert look(microsoft, username="QUAY\\tomas").email == TOMAS
    monkeypatch.setattr(library.ResolveNames, "send", _raise(refusal("no")))
    assert look(microsoft, username="QUAY\\tomas").email == "QUAY\\tomas"


def test_a_password_that_is_refused_half_way_is_not_sent_again(
    microsoft: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolve(*_: Any) -> Any:
        asked.append("ResolveNames")

    refused = _raise(PasswordRefused("EWS: 401"))
    monkeypatch.setattr(library.ConvertId, "send", refused)
    monkeypatch.setattr(library.ResolveNames, "send", resolve)
    with pytest.raises(PasswordRefused):
        look(microsoft)
    assert asked == []


def _raise(error: Exception) -> Any:
    def send(*_: Any, **__: Any) -> Any:
        raise error

    return send
