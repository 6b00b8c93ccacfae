"""What a request wants to see of each item."""

from dataclasses import dataclass

from sandbox.exchange import schema, versions
from sandbox.exchange.soap import Element, Fault, Request, local
from sandbox.installation import switches

_CUT = 255  # a folder's table has no longer texts


@dataclass(frozen=True)
class Extended:
    """A property that the schema has no element for, as the request names it."""

    attributes: tuple[tuple[str, str], ...]

    @property
    def public_name(self) -> str:
        """Its name among the PublicStrings, where online meetings leave their links; empty for any other."""
        named = dict(self.attributes)
        public = named.get("DistinguishedPropertySetId") == "PublicStrings" and named.get("PropertyType") == "String"
        return named.get("PropertyName", "") if public else ""


@dataclass(frozen=True)
class Shape:
    """``names`` in no order; ``listing`` is true of what comes out of a folder's table."""

    names: frozenset[str]
    extended: tuple[Extended, ...]
    text_body: bool
    schema: str
    listing: bool

    def cut(self, text: str) -> str:
        return text[:_CUT] if self.listing else text


def _named(request: Request, element: Element) -> set[str]:
    """Raises ``Fault`` for a property that the request's schema does not have."""
    names = set()
    for field in element.iterfind("{*}FieldURI"):
        uri = field.get("FieldURI", "")
        name = uri.partition(":")[2]
        if not schema.is_known(uri) or not versions.at_least(request.schema, schema.SINCE.get(name, versions.FIRST)):
            said = f"The 'FieldURI' attribute is invalid - The value '{uri}' is invalid according to its datatype."
            raise Fault("ErrorSchemaValidation", f"The request failed schema validation: {said}")
        if uri.startswith(("item:", "calendar:")):
            names.add(name)
    return names


def read(request: Request, *, listing: bool) -> Shape:
    """Raises ``Fault``."""
    shape = request.find("m:ItemShape")
    if shape is None:
        raise Fault("ErrorSchemaValidation", "The request failed schema validation: it has no ItemShape.")
    base = {"IdOnly": frozenset(("ItemId",)), "Default": schema.DEFAULT, "AllProperties": schema.ALL}
    kind = shape.findtext("{*}BaseShape") or ""
    if kind not in base:
        raise Fault("ErrorSchemaValidation", f"The request failed schema validation: BaseShape {kind!r}.")
    more = [one for one in shape if local(one) == "AdditionalProperties"]
    names = base[kind].union(*(_named(request, one) for one in more))
    known = {one for one in names if versions.at_least(request.schema, schema.SINCE.get(one, versions.FIRST))}
    extended = tuple(
        Extended(tuple(sorted(field.attrib.items()))) for one in more for field in one.iterfind("{*}ExtendedFieldURI")
    )
    if not switches().exchange_expand:
        known = (known | schema.ALWAYS_AT_GROMMUNIO) - schema.NEVER_AT_GROMMUNIO
    return Shape(
        names=frozenset(known) - (schema.NOT_LISTED if listing else frozenset()),
        extended=extended,
        text_body=(shape.findtext("{*}BodyType") or "Best") == "Text",
        schema=request.schema,
        listing=listing,
    )
