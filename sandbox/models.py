"""What the sandbox keeps over a restart: people, their mailboxes, what they agreed to, and the tokens that are out."""

from typing import ClassVar

from django.db import models


class Person(models.Model):
    """Somebody who can sign in: one of the tenant, or somebody with a personal account, who belongs to none."""

    class Kind(models.TextChoices):
        WORK = "work", "Work or school account"
        PERSONAL = "personal", "Personal account"

    objects: ClassVar[models.Manager["Person"]] = models.Manager()
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.WORK)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    admin = models.BooleanField(default=False)
    oid = models.CharField(max_length=36, unique=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    @property
    def personal(self) -> bool:
        return self.kind == self.Kind.PERSONAL


class Mailbox(models.Model):
    """A person's calendar as iCalendar text; ``digest`` names this very text."""

    objects: ClassVar[models.Manager["Mailbox"]] = models.Manager()
    # The text is the last column: SQLite reads through a large value to get at what stands behind it.
    digest = models.CharField(max_length=64)
    person = models.OneToOneField(Person, on_delete=models.CASCADE)
    text = models.TextField()

    def __str__(self) -> str:
        return f"mailbox of {self.person}"


class Consent(models.Model):
    """The scopes that a person granted to an application, space-separated."""

    objects: ClassVar[models.Manager["Consent"]] = models.Manager()
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    client_id = models.CharField(max_length=100)
    scopes = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "client_id"], name="one_consent_per_application")]

    def __str__(self) -> str:
        return f"consent of {self.person} to {self.client_id}"


class TenantConsent(models.Model):
    """The scopes that an admin granted to an application for everybody of the tenant, space-separated."""

    objects: ClassVar[models.Manager["TenantConsent"]] = models.Manager()
    tenant_id = models.CharField(max_length=36)
    client_id = models.CharField(max_length=100)
    scopes = models.TextField()
    granted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "client_id"], name="one_consent_per_tenant_and_application")
        ]

    def __str__(self) -> str:
        return f"consent of tenant {self.tenant_id} to {self.client_id}"


class AuthorizationCode(models.Model):
    """A code on its way through the browser; it works once, and for ten minutes."""

    objects: ClassVar[models.Manager["AuthorizationCode"]] = models.Manager()
    digest = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    client_id = models.CharField(max_length=100)
    redirect_uri = models.TextField()
    scopes = models.TextField()
    nonce = models.TextField(blank=True)
    challenge = models.CharField(max_length=200, blank=True)
    challenge_method = models.CharField(max_length=10, blank=True)
    expires_at = models.DateTimeField()
    used = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"code for {self.person}"


class RefreshToken(models.Model):
    """A refresh token that is out; ``dead_code`` is the AADSTS number it is refused with, once it is dead."""

    objects: ClassVar[models.Manager["RefreshToken"]] = models.Manager()
    digest = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    client_id = models.CharField(max_length=100)
    scopes = models.TextField()
    dead_code = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"refresh token of {self.person}"


class AccessToken(models.Model):
    """An access token that is out."""

    objects: ClassVar[models.Manager["AccessToken"]] = models.Manager()
    digest = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    scopes = models.TextField()
    expires_at = models.DateTimeField()
    revoked = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"access token of {self.person}"
