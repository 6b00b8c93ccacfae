"""GetFolder, ConvertId and ResolveNames: whose mailbox it is, and where its calendar is."""

import pytest

from tests.sandbox import ews
from tests.sandbox.ews import INES, Mailbox, basic

TOMAS_CALENDAR = (
    '<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox>'
    "</t:DistinguishedFolderId>"
)
EMPTY_SOAP = ews.envelope("")


def _folder_id(mailbox: Mailbox, folder: str = ews.CALENDAR) -> str:
    id: str = mailbox.ask(ews.get_folder(folder)).all(".//t:FolderId")[0].get("Id")
    return id


def test_the_calendar_is_found_by_its_name_and_by_its_id(exchange: Mailbox) -> None:
    id = _folder_id(exchange)
    again = exchange.ask(ews.get_folder(f'<t:FolderId Id="{id}"/>', "AllProperties"))

    assert again.text(".//t:CalendarFolder/t:DisplayName") == "Calendar"
    assert again.text(".//t:CalendarFolder/t:FolderClass") == "IPF.Appointment"
    assert _folder_id(exchange, f'<t:FolderId Id="{id}"/>') == id


def test_the_calendar_is_found_with_its_owners_address(exchange: Mailbox) -> None:
    assert _folder_id(exchange, TOMAS_CALENDAR.format(INES)) == _folder_id(exchange)


def test_folders_stand_in_each_other(exchange: Mailbox) -> None:
    parents = [
        exchange.ask(ews.get_folder(f'<t:DistinguishedFolderId Id="{name}"/>', "AllProperties")).all(
            ".//t:ParentFolderId"
        )
        for name in ("calendar", "msgfolderroot", "root")
    ]

    assert [one.get("Id") for found in parents for one in found] == [
        _folder_id(exchange, '<t:DistinguishedFolderId Id="msgfolderroot"/>'),
        _folder_id(exchange, ews.ROOT),
    ]


def test_the_calendar_counts_what_it_keeps(exchange: Mailbox) -> None:
    exchange.put(ews.EMPTY)
    exchange.add(subject="Fair", start="2027-05-08", end="2027-05-10")
    exchange.add(subject="Crane", start="2027-05-03", end="2027-05-04", rrule="FREQ=DAILY;COUNT=9")

    assert exchange.ask(ews.get_folder()).text(".//t:TotalCount") == "2"


@pytest.mark.parametrize(
    ("folder", "code"),
    [
        (TOMAS_CALENDAR.format("tomas@quay.example"), "ErrorAccessDenied"),
        (TOMAS_CALENDAR.format("nobody@quay.example"), "ErrorNonExistentMailbox"),
        ('<t:DistinguishedFolderId Id="directory"/>', "ErrorFolderNotFound"),
        ('<t:FolderId Id="AQMk9C2u"/>', "ErrorFolderNotFound"),
        ('<t:FolderId Id="DUMMY"/>', "ErrorInvalidIdMalformed"),
    ],
)
def test_a_folder_that_is_not_there_is_an_error_of_its_own(exchange: Mailbox, folder: str, code: str) -> None:
    assert exchange.ask(ews.get_folder(folder + ews.CALENDAR)).codes == [code, "NoError"]
    assert exchange.ask(ews.find_item(ews.view(), folder=folder)).codes == [code]
    assert exchange.ask(ews.sync(folder=folder)).codes == [code]


def test_a_persons_folders_are_theirs(exchange: Mailbox) -> None:
    tomas = basic(exchange.sandbox, "QUAY\\tomas")
    with tomas.http:
        id = _folder_id(tomas)
        assert id != _folder_id(exchange)
        assert exchange.ask(ews.get_folder(f'<t:FolderId Id="{id}"/>')).codes == ["ErrorFolderNotFound"]


@pytest.mark.parametrize(("user", "address"), [("QUAY\\ines", INES), ("quay\\tomas", "tomas@quay.example")])
def test_whoever_logged_on_learns_their_address(exchange: Mailbox, user: str, address: str) -> None:
    somebody = basic(exchange.sandbox, user)
    with somebody.http:
        answer = somebody.ask(ews.convert_id(_folder_id(somebody, ews.ROOT), "blank@blank.example"))

    assert answer.all(".//m:AlternateId")[0].get("Mailbox") == address


def test_an_item_id_is_converted_to_itself(exchange: Mailbox) -> None:
    id = exchange.view()[0]["ItemId"]

    assert exchange.ask(ews.convert_id(id)).all(".//m:AlternateId")[0].get("Id") == id


def test_what_is_no_id_is_not_converted(exchange: Mailbox) -> None:
    assert exchange.ask(ews.convert_id("DUMMY")).codes == ["ErrorInvalidIdMalformed"]
    assert exchange.ask(ews.convert_id("AQMk9C2u")).codes == ["ErrorInvalidIdMalformed"]


@pytest.mark.parametrize("word", ["ines", "QUAY\\ines", INES, f"smtp:{INES}", "Ines Falk", "falk"])
def test_a_name_means_somebody(exchange: Mailbox, word: str) -> None:
    answer = exchange.ask(ews.resolve(word))

    assert (answer.codes, answer.texts(".//t:EmailAddress")) == (["NoError"], [INES])


def test_a_name_may_mean_several_or_nobody(exchange: Mailbox) -> None:
    exchange.sandbox.control("PUT", "mailboxes/inessa@quay.example", text=ews.EMPTY)
    several = exchange.ask(ews.resolve("ines"))

    assert several.codes == ["ErrorNameResolutionMultipleResults"]
    assert several.texts(".//t:EmailAddress") == [INES, "inessa@quay.example"]
    assert exchange.ask(ews.resolve("walter")).codes == ["ErrorNameResolutionNoResults"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "ErrorSchemaValidation"),
        (b"<html/>", "ErrorSchemaValidation"),
        (b'{"operation": "GetFolder"}', "ErrorSchemaValidation"),
        (EMPTY_SOAP, "ErrorSchemaValidation"),
        (EMPTY_SOAP.replace(b"<s:Envelope", b'<!DOCTYPE a [<!ENTITY b "c">]><s:Envelope', 1), "ErrorSchemaValidation"),
        (ews.envelope("<m:Dance/>"), "ErrorInvalidRequest"),
        (ews.envelope("<t:GetFolder/>"), "ErrorInvalidRequest"),
    ],
)
def test_what_is_no_request_is_a_fault(exchange: Mailbox, content: bytes, fault: str) -> None:
    answer = exchange.post(content)

    assert (answer.response.status_code, answer.fault) == (500, fault)
    assert answer.response.content.startswith(b"<?xml")
    assert answer.response.headers["Content-Type"] == "text/xml; charset=utf-8"


def test_a_document_type_reads_no_file(exchange: Mailbox) -> None:
    outside = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'
    content = ews.envelope(ews.resolve("&b;")).replace(b"<s:Envelope", outside + b"<s:Envelope", 1)
    content = content.replace(b"&amp;b;", b"&b;")

    assert exchange.post(content).response.status_code == 500
