"""What a person may type into the form for Exchange servers, what becomes of it, and what each mistake is told."""

from __future__ import annotations

import html

import pytest
from pytest_django import Settings

from integrations.forms import REFUSED, ExchangeForm
from integrations.models import CalendarConnection
from integrations.server_address import Reason

MAIL = "https://mail.quay.example/EWS/Exchange.asmx"
SECRET = "canary-of-a-password"


def form(**typed: str) -> ExchangeForm:
    known = {"username": "QUAY\\ines", "password": SECRET, "server": "mail.quay.example", "version": ""}
    return ExchangeForm(known | typed)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("mail.quay.example", MAIL),
        (" MAIL.Quay.Example. ", MAIL),
        ("mail.quay.example/owa", MAIL),
        ("mail.quay.example/EWS/Exchange.asmx", MAIL),
        ("https://mail.quay.example", MAIL),
        ("https://mail.quay.example/ews/exchange.asmx?wsdl", MAIL),
        ("HTTPS://mail.quay.example:443/EWS/", MAIL),
        ("10.1.2.3", "https://10.1.2.3/EWS/Exchange.asmx"),
        ("[fd12::3]", "https://[fd12::3]/EWS/Exchange.asmx"),
        ("Bücher.example", "https://xn--bcher-kva.example/EWS/Exchange.asmx"),
    ],
)
def test_a_host_with_or_without_a_path_is_read_into_one_address(typed: str, url: str) -> None:
    read = form(server=typed)
    assert read.is_valid(), read.errors
    assert (read.address, read.typed.address.url) == (url, url)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Please enter the address of your Exchange server."),
        ("   ", "Please enter the address of your Exchange server."),
        ("m" * 3000, "This is too long for the address of a server."),
        ("http://mail.quay.example", "Sally sends passwords over https only."),
        ("ftp://mail.quay.example", "Sally sends passwords over https only."),
        ("ines:secret@mail.quay.example", "Please enter the server's address, without a user name"),
        ("mail.quay.example:8443", "Sally reaches Exchange servers at port 443 only."),
        ("mail server", "This is not the address of a server."),
        ("\\\\mail\\share", "This is not the address of a server."),
        ("2130706433", "Please enter the server's name, or its IP address as four numbers with dots"),
        ("0x7f.1", "Please enter the server's name, or its IP address as four numbers with dots"),
        ("localhost", "This address leads to Sally's own machine."),
        ("outlook.office365.com", "This address belongs to Microsoft's cloud (Exchange Online)"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_its_reason(typed: str, sentence: str) -> None:
    refused = form(server=typed)
    assert not refused.is_valid()
    (error,) = refused.errors["server"]
    assert html.unescape(str(error)).startswith(sentence)
    assert set(refused.errors) == {"server"}
    assert refused.address == ""


def test_every_reason_has_its_sentence() -> None:
    """Microsoft's cloud has a row of the table of problems instead: another door is the right one."""
    assert set(REFUSED) == set(Reason) - {Reason.CLOUD}
    assert len({str(one) for one in REFUSED.values()}) == len(REFUSED)


def test_the_sandbox_is_the_one_other_place(settings: Settings) -> None:
    assert not form(server="localhost:8443").is_valid()
    settings.EXCHANGE_SANDBOX = "localhost:8443"
    read = form(server="localhost:8443")
    assert read.is_valid()
    assert read.address == "https://localhost:8443/EWS/Exchange.asmx"
    assert not form(server="localhost:8444").is_valid()


@pytest.mark.parametrize("missing", ["username", "password", "server"])
def test_what_is_missing_is_asked_for(missing: str) -> None:
    assert set(form(**{missing: ""}).errors) == {missing}


@pytest.mark.parametrize(
    ("name", "value"), [("version", "1997"), ("username", "x" * 321), ("password", "x" * 1001), ("username", "a\0b")]
)
def test_nonsense_is_refused_next_to_its_field(name: str, value: str) -> None:
    assert set(form(**{name: value}).errors) == {name}


def test_the_password_is_taken_to_the_letter_and_the_user_name_without_blanks_around_it() -> None:
    read = form(username=" QUAY\\ines ", password="  spaces  ", version="2016")
    assert read.is_valid()
    assert (read.typed.username, read.typed.password, read.typed.version) == ("QUAY\\ines", "  spaces  ", "2016")


def test_the_password_is_never_shown_again() -> None:
    read = form(server="")
    assert SECRET not in read.as_p()
    assert "QUAY\\ines" in read.as_p()
    assert SECRET not in repr(read)
    assert form().is_valid()
    valid = form()
    valid.is_valid()
    assert SECRET not in repr(valid.typed)


def test_a_connection_fills_in_all_but_the_password() -> None:
    server = {"url": MAIL, "username": "QUAY\\ines", "auth": "ntlm", "version": "2019", "chosen": "2016"}
    shown = ExchangeForm(connection=CalendarConnection(server=server))
    assert {name: shown[name].value() for name in shown.fields} == {
        "username": "QUAY\\ines",
        "password": None,
        "server": MAIL,
        "version": "2016",
    }


def test_a_connection_of_which_nothing_is_known_fills_in_nothing() -> None:
    shown = ExchangeForm(connection=CalendarConnection())
    assert "None" not in shown.as_p()


@pytest.mark.parametrize(
    ("typed", "focus"),
    [
        ({"username": "", "password": ""}, "username"),
        ({"password": "", "server": ""}, "password"),
        ({"server": "localhost"}, "server"),
        ({"version": "1997"}, "version"),
    ],
)
def test_the_first_wrong_field_gets_the_focus(typed: dict[str, str], focus: str) -> None:
    wrong = form(**typed)
    wrong.is_valid()
    wrong.set_focus()
    assert [name for name in wrong.fields if wrong.fields[name].widget.attrs.get("autofocus")] == [focus]


def test_a_new_form_begins_with_what_is_empty() -> None:
    for hint, focus in (("", "username"), ("ines@quay.example", "password")):
        new = ExchangeForm(hint=hint)
        new.set_focus()
        assert [name for name in new.fields if new.fields[name].widget.attrs.get("autofocus")] == [focus]


def test_what_a_field_is_for_is_told_to_browsers() -> None:
    fields = ExchangeForm().fields
    told = {name: fields[name].widget.attrs for name in fields}
    # Else browsers fill in the sign-in to Sally, and the server is sent it.
    assert (told["username"]["autocomplete"], told["password"]["autocomplete"]) == ("off", "off")
    assert told["server"]["inputmode"] == "url"
    assert [told[name]["spellcheck"] for name in ("username", "server")] == ["false", "false"]
    assert [told[name]["autocapitalize"] for name in ("username", "server")] == ["none", "none"]
