"""People, their institutes, and the tokens of programs.

Personal data (e-mail address, name) stands here and in nothing that is chained: audit entries carry the account's id,
and erasing an account leaves its row, empty, so that every reference stays valid.
"""

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from equipoise.common.ids import new_id
from equipoise.common.permissions import Role


class Institute(models.Model):
    """A hospital or university department. Several share one site without seeing each other."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    slug = models.SlugField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)


class AccountManager(BaseUserManager["Account"]):
    """Finds accounts by e-mail address without regard to case. Accounts are made by ``account_create``."""

    def get_by_natural_key(self, username: str | None) -> "Account":
        """Return the account of an e-mail address."""
        return self.get(email__iexact=username)


class Account(AbstractBaseUser):
    """A person who can sign in. What the person may do in a trial is a membership, held by ``trials``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    display_name = models.CharField(max_length=200, blank=True)
    institute = models.ForeignKey(
        Institute, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts"
    )
    is_site_administrator = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[AccountManager] = AccountManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_account_email_caseless")]


class ServiceToken(models.Model):
    """A program's key to one trial in one role. Only the SHA-256 of the secret is stored; it is shown once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    label = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    """The first characters of the secret, by which people recognise it."""
    secret_sha256 = models.CharField(max_length=64, unique=True)
    trial_id = models.UUIDField(db_index=True)
    role = models.CharField(max_length=32, choices=[(role.value, role.value) for role in Role])
    created_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="service_tokens")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    is_authenticated = True
    is_anonymous = False
    is_site_administrator = False
    is_active = True

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(role=Role.SITE_ADMINISTRATOR.value),
                name="accounts_servicetoken_role_of_a_trial",
            )
        ]


class SignInAttempt(models.Model):
    """Wrong passwords per keyed hash of an e-mail or network address; swept when old. Erasable at any time."""

    subject_hash = models.CharField(primary_key=True, max_length=64)
    failures = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)


class TotpDevice(models.Model):
    """A person's authenticator app. The shared secret is sealed with the site's key; erased with the account."""

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.CASCADE, related_name="totp_device"
    )
    sealed_secret = models.TextField()
    last_step = models.PositiveBigIntegerField(default=0)
    """The time step of the last code that was taken: a code that was seen over a shoulder is of no use."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)


class Passkey(models.Model):
    """A WebAuthn credential: only its public half is here; erased with the account."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="passkeys")
    label = models.CharField(max_length=100)
    credential_id = models.BinaryField(max_length=1023)
    credential_sha256 = models.CharField(max_length=64, unique=True)
    """By which it is found: binary columns have no unique index on every database."""
    public_key = models.BinaryField()
    sign_count = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)


class RecoveryCode(models.Model):
    """A code that stands in once for a lost second factor. Only its hash is stored."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="recovery_codes")
    code_sha256 = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(null=True, blank=True)


class SingleSignOnIdentity(models.Model):
    """Who a person is at the hospital's identity provider; erased with the account."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="accounts_identity_once")]
