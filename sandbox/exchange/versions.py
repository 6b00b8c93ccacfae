"""Versions: of the server, as every answer tells them, and of the schema that a request was written in."""

from sandbox.installation import switches

SCHEMAS = (
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
    "Exchange2015",
    "Exchange2016",
)
FIRST = SCHEMAS[0]
# What a server of these numbers calls its newest schema in ServerVersionInfo.
_CALLED = {
    (8, 0): "Exchange2007",
    (8, 1): "Exchange2007_SP1",
    (14, 0): "Exchange2010",
    (14, 1): "Exchange2010_SP1",
    (14, 2): "Exchange2010_SP2",
    (14, 3): "Exchange2010_SP2",
    (15, 0): "V2_23",
    (15, 1): "V2017_07_11",
    (15, 2): "V2017_07_11",
}


def understood(schema: str) -> bool:
    newest = switches().exchange_schema
    known = SCHEMAS[: SCHEMAS.index(newest) + 1] if newest in SCHEMAS else SCHEMAS
    return schema in known


def at_least(schema: str, first: str) -> bool:
    return SCHEMAS.index(schema) >= SCHEMAS.index(first)


def server_version() -> dict[str, str]:
    """The attributes of ServerVersionInfo."""
    numbers = (switches().exchange_version.split(".") + ["0"] * 4)[:4]
    names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
    called = _CALLED.get((int(numbers[0]), int(numbers[1])), switches().exchange_schema)
    return {**dict(zip(names, numbers, strict=True)), "Version": called}
