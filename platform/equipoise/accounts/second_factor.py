"""Second factors of a person: an authenticator app (TOTP, RFC 6238), passkeys (WebAuthn), recovery codes.

The libraries do the cryptography (pyotp, webauthn); here stand what is kept, what is said, and the audit entries.
Challenges and unconfirmed secrets live in the session, on the server, and are used once.
"""

import base64
import hashlib
import io
import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pyotp
import segno
import webauthn
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone
from webauthn.helpers import options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from equipoise.accounts.models import Account, Passkey, RecoveryCode, TotpDevice
from equipoise.accounts.sealing import seal, unseal
from equipoise.accounts.trail import own_act_record
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError, StateConflictError, ValidationFailedError

STEP_S = 30
"""How long a code of an authenticator app is shown (RFC 6238's default)."""
STEPS_AROUND = 1
"""A code of the step before or after counts too: clocks differ."""
RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 10
"""80 random bits: a plain hash of it is enough, there is nothing to guess."""
MAX_PASSKEYS = 10
CHALLENGE_S = 300
_TOTP_IN_SESSION, _CHALLENGE_IN_SESSION = "totp_secret", "passkey_challenge"


class SecondFactor(StrEnum):
    """What a person can show besides the password."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True)
class TotpOffer:
    """What an authenticator app is set up with, shown once."""

    secret: str
    address: str
    qr_svg: str


def second_factors_of(account: Account) -> list[SecondFactor]:
    """Return what the person can show; recovery codes only stand in for one of the others."""
    found = []
    if TotpDevice.objects.filter(account=account).exists():
        found.append(SecondFactor.TOTP)
    if account.passkeys.exists():
        found.append(SecondFactor.PASSKEY)
    if found and account.recovery_codes.filter(used_at__isnull=True).exists():
        found.append(SecondFactor.RECOVERY_CODE)
    return found


# ---------------------------------------------------------------- authenticator apps


def totp_offer(account: Account, session: SessionBase) -> TotpOffer:
    """Draw a secret, keep it in the session until a code shows that the app has it, and return how to give it."""
    _require_no_totp(account)
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    session[_TOTP_IN_SESSION] = seal("totp-offer", secret)
    host = urlsplit(settings.PUBLIC_URL).hostname
    address = pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=f"Equipoise ({host})")
    picture = io.BytesIO()
    segno.make(address, error="m").save(picture, kind="svg", scale=5, xmldecl=False, svgns=True)
    return TotpOffer(secret=secret, address=address, qr_svg=picture.getvalue().decode())


def totp_add(account: Account, session: SessionBase, *, code: str) -> list[str]:
    """Store the offered secret if the code shows that the app has it; return new recovery codes if none were there."""
    _require_no_totp(account)
    offered = session.get(_TOTP_IN_SESSION)
    if offered is None:
        raise StateConflictError(
            "Begin again: the secret that was shown is no longer kept.",
            data={"state": "none_offered", "allowed": []},
        )
    secret = unseal("totp-offer", offered)
    step = _step_of(secret, code)
    if step is None:
        raise ValidationFailedError.of_fields({"/code": "This is not the code that the app should show now."})
    with transaction.atomic():
        del session[_TOTP_IN_SESSION]
        TotpDevice.objects.create(account=account, sealed_secret=seal("totp", secret), last_step=step)
        return _added(account, SecondFactor.TOTP)


def totp_remove(account: Account) -> None:
    """Forget the authenticator app."""
    with transaction.atomic():
        if not TotpDevice.objects.filter(account=account).delete()[0]:
            raise NotFoundError("There is no authenticator app to remove.")
        _removed(account, SecondFactor.TOTP)


def totp_is_right(account: Account, code: str) -> bool:
    """Whether this is the app's code now; each code counts once."""
    device = TotpDevice.objects.filter(account=account).first()
    step = _step_of(unseal("totp", device.sealed_secret), code) if device else None
    if step is None:
        return False
    return bool(TotpDevice.objects.filter(account=account, last_step__lt=step).update(last_step=step))


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code this is."""
    digits = "".join(code.split())
    now = int(time.time()) // STEP_S
    totp = pyotp.TOTP(secret)
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if secrets.compare_digest(totp.generate_otp(step), digits):
            return step
    return None


def _require_no_totp(account: Account) -> None:
    if TotpDevice.objects.filter(account=account).exists():
        raise StateConflictError(
            "There is an authenticator app already; remove it first.",
            data={"state": "present", "allowed": ["remove"]},
        )


# ---------------------------------------------------------------- passkeys


def _relying_party() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def _challenge_keep(session: SessionBase, challenge: bytes) -> None:
    session[_CHALLENGE_IN_SESSION] = [base64.b64encode(challenge).decode(), time.time()]


def _challenge_take(session: SessionBase) -> bytes:
    """Return the challenge and forget it: one answer each."""
    kept = session.pop(_CHALLENGE_IN_SESSION, None)
    if kept is None or not 0 <= time.time() - kept[1] < CHALLENGE_S:
        raise ValidationFailedError.of_fields(
            {"/credential": "Begin again: the question to the key has grown old."}
        )
    return base64.b64decode(kept[0])


def _descriptors(account: Account) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=bytes(one.credential_id)) for one in account.passkeys.order_by("id")
    ]


def passkey_creation_options(account: Account, session: SessionBase) -> dict[str, Any]:
    """Return what ``navigator.credentials.create`` needs."""
    if account.passkeys.count() >= MAX_PASSKEYS:
        raise StateConflictError(
            f"An account has at most {MAX_PASSKEYS} keys; remove one first.",
            data={"state": "full", "allowed": ["remove"]},
        )
    options = webauthn.generate_registration_options(
        rp_id=_relying_party(),
        rp_name="Equipoise",
        user_id=account.pk.bytes,
        user_name=account.email,
        user_display_name=account.display_name or account.email,
        challenge=secrets.token_bytes(32),
        exclude_credentials=_descriptors(account),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    _challenge_keep(session, options.challenge)
    document: dict[str, Any] = json.loads(options_to_json(options))
    return document


def passkey_add(
    account: Account, session: SessionBase, *, label: str, credential: dict[str, Any]
) -> tuple[Passkey, list[str]]:
    """Store a new key if its answer fits; return it, and new recovery codes if none were there."""
    challenge = _challenge_take(session)
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_relying_party(),
            expected_origin=settings.PUBLIC_URL,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise ValidationFailedError.of_fields(
            {"/credential": "The key's answer does not fit; try again."}
        ) from None
    digest = hashlib.sha256(verified.credential_id).hexdigest()
    with transaction.atomic():
        if Passkey.objects.filter(credential_sha256=digest).exists():
            raise ValidationFailedError.of_fields({"/credential": "This key is registered already."})
        passkey = Passkey.objects.create(
            account=account,
            label=label.strip() or "Key",
            credential_id=verified.credential_id,
            credential_sha256=digest,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
        )
        return passkey, _added(account, SecondFactor.PASSKEY)


def passkey_of(account: Account, passkey_id: UUID) -> Passkey:
    """Return a key of the person's own."""
    passkey = account.passkeys.filter(pk=passkey_id).first()
    if passkey is None:
        raise NotFoundError("You have no such key.")
    return passkey


def passkey_rename(account: Account, passkey: Passkey, *, label: str) -> None:
    """Give a key another name."""
    with transaction.atomic():
        Passkey.objects.filter(pk=passkey.pk).update(label=label.strip())
        own_act_record(account, AuditKind.SECOND_FACTOR_RENAMED, {"factor": SecondFactor.PASSKEY.value})


def passkey_remove(account: Account, passkey_id: UUID) -> None:
    """Forget a key."""
    with transaction.atomic():
        passkey_of(account, passkey_id).delete()
        _removed(account, SecondFactor.PASSKEY)


def passkey_request_options(account: Account, session: SessionBase) -> dict[str, Any]:
    """Return what ``navigator.credentials.get`` needs."""
    options = webauthn.generate_authentication_options(
        rp_id=_relying_party(),
        challenge=secrets.token_bytes(32),
        allow_credentials=_descriptors(account),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    _challenge_keep(session, options.challenge)
    document: dict[str, Any] = json.loads(options_to_json(options))
    return document


def passkey_is_right(account: Account, session: SessionBase, credential: dict[str, Any]) -> bool:
    """Whether one of the person's keys answers the question that was put last."""
    challenge = _challenge_take(session)
    try:
        raw_id = webauthn.base64url_to_bytes(str(credential["rawId"]))
        passkey = account.passkeys.filter(credential_sha256=hashlib.sha256(raw_id).hexdigest()).first()
        if passkey is None:
            return False
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_relying_party(),
            expected_origin=settings.PUBLIC_URL,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return False
    # Two answers under one count are a copied key, or one answer sent twice.
    used = account.passkeys.filter(pk=passkey.pk, sign_count=passkey.sign_count)
    return bool(used.update(sign_count=verified.new_sign_count, last_used_at=timezone.now()))


# ---------------------------------------------------------------- recovery codes


def recovery_codes_make(account: Account) -> list[str]:
    """Replace the person's recovery codes; they are shown here and never again."""
    if not (TotpDevice.objects.filter(account=account).exists() or account.passkeys.exists()):
        raise StateConflictError(
            "Recovery codes stand in for a second factor; add one first.",
            data={"state": "no_second_factor", "allowed": []},
        )
    with transaction.atomic():
        account.recovery_codes.all().delete()
        codes = [_new_code() for _ in range(RECOVERY_CODES)]
        RecoveryCode.objects.bulk_create(
            RecoveryCode(account=account, code_sha256=_code_sha256(code)) for code in codes
        )
        own_act_record(account, AuditKind.RECOVERY_CODES_MADE, {"count": len(codes)})
    return codes


def recovery_code_is_right(account: Account, code: str) -> bool:
    """Whether this is an unused code of the person; it is used by asking."""
    with transaction.atomic():
        unused = account.recovery_codes.filter(code_sha256=_code_sha256(code), used_at__isnull=True)
        if not unused.update(used_at=timezone.now()):
            return False
        left = account.recovery_codes.filter(used_at__isnull=True).count()
        own_act_record(account, AuditKind.RECOVERY_CODE_USED, {"left": left})
    return True


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower()
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def _code_sha256(code: str) -> str:
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(plain.encode()).hexdigest()


# ---------------------------------------------------------------- all of them


def second_factors_erase(account: Account) -> None:
    """Delete everything that is kept of a person's second factors."""
    TotpDevice.objects.filter(account=account).delete()
    account.passkeys.all().delete()
    account.recovery_codes.all().delete()


def _added(account: Account, factor: SecondFactor) -> list[str]:
    own_act_record(account, AuditKind.SECOND_FACTOR_ADDED, {"factor": factor.value})
    has_codes = account.recovery_codes.filter(used_at__isnull=True).exists()
    return [] if has_codes else recovery_codes_make(account)


def _removed(account: Account, factor: SecondFactor) -> None:
    own_act_record(account, AuditKind.SECOND_FACTOR_REMOVED, {"factor": factor.value})
    if not (TotpDevice.objects.filter(account=account).exists() or account.passkeys.exists()):
        account.recovery_codes.all().delete()
