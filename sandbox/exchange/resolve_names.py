"""ResolveNames: whom of the directory a word means."""

from django.db.models import Q

from sandbox.exchange.soap import Answer, Element, Request, add, m, t
from sandbox.models import Person


def _write(group: Element, person: Person) -> None:
    mailbox = add(add(group, t("Resolution")), t("Mailbox"))
    add(mailbox, t("Name"), person.name)
    add(mailbox, t("EmailAddress"), person.email)
    add(mailbox, t("RoutingType"), "SMTP")
    add(mailbox, t("MailboxType"), "Mailbox")


def resolve_names(request: Request, _person: Person, answer: Answer) -> None:
    """Ambiguous names are resolved by how names and addresses begin, as the directory does.

    Personal accounts are in no organization's directory.
    """
    word = (request.element.findtext(m("UnresolvedEntry")) or "").strip()
    word = word.removeprefix("smtp:").rpartition("\\")[2]
    begins = Q(email__istartswith=word) | Q(name__istartswith=word) | Q(name__icontains=f" {word}")
    found = list(Person.objects.exclude(kind=Person.Kind.PERSONAL).filter(begins)) if word else []
    if not found:
        answer.trouble("ErrorNameResolutionNoResults")
        return
    several = len(found) > 1
    message = answer.trouble("ErrorNameResolutionMultipleResults", "Warning") if several else answer.success()
    group = add(message, m("ResolutionSet"), TotalItemsInView=str(len(found)), IncludesLastItemInRange="true")
    for person in found:
        _write(group, person)
