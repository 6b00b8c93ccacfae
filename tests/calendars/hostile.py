"""Texts made to be slow: each shape is repeated to any length. For the tests and for the bench."""

from urllib.parse import quote

from tests.calendars import link_tables as tables


def in_safelinks(url: str) -> str:
    return f"https://eur01.safelinks.protection.outlook.com/?url={quote(url, safe='')}&data=05%7C02&reserved=0"


def nested(depth: int) -> str:
    url = tables.ZOOM
    for _ in range(depth):
        url = in_safelinks(url)
    return url


HOSTILE = {
    "schemes": "https://",
    "schemes apart": "https:// ",
    "hosts": "https://a.b ",
    "brackets": "<",
    "percent": "https://a.example/" + "%25" * 1000 + " ",
    "nested percent": "https%" + "25" * 1000 + "3a%2f%2f ",
    "encoded question marks": "https://a.example/" + "%25" * 900 + "3f%3f ",
    "nested SafeLinks": nested(6) + " ",
    "endless redirects": "https://www.google.com/url?q=" * 200 + " ",
    "entities": "&amp;",
    "entities in entities": "&amp;amp;amp;amp;",
    "unclosed entities": "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "unclosed attributes": '<a href="https://zoom.us/j/',
    "closing brackets": "https://zoom.us/j/1" + ")" * 7000 + " ",
    "open JSON": 'https://a.example/{"{"{"{"',
    "long JSON": 'https://a.example/%7b"' + "a" * 390,
    "parameters": "https://www.google.com/url?" + "a&" * 3900 + " ",
    "marks of Proofpoint": "https://urldefense.com/v3/__" + "*" * 3000 + "__;" + "QUJD" * 1000 + " ",
    "ends of Proofpoint": "https://urldefense.com/v3/__" + "__;" * 2000 + " ",
    "path of folders": "https://quay.webex.com/" + "a/" * 3900 + " ",
    "real links": tables.TEAMS + " ",
}


def of_size(shape: str, characters: int) -> str:
    unit = HOSTILE[shape]
    return (unit * (characters // len(unit) + 1))[:characters]
