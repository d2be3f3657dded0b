"""The proof of identity that a signature takes: given anew for each one, with a second factor where there is one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from equipoise.accounts.attempts import WrongPasswordError, counted_attempt
from equipoise.accounts.models import Account
from equipoise.accounts.second_factor import (
    SecondFactor,
    passkey_is_right,
    recovery_code_is_right,
    second_factors_of,
    totp_is_right,
)
from equipoise.accounts.sessions import SINGLE_SIGN_ON, confirmation_spend, require_confirmed_by
from equipoise.common.errors import ValidationFailedError


@dataclass(frozen=True)
class SigningProof:
    """What a person gives to sign."""

    password: str = ""
    code: str = ""
    """Of the authenticator app, or a recovery code."""
    credential: Mapping[str, Any] | None = None
    """A key's answer."""


@dataclass(frozen=True)
class Signer:
    """A person who has just shown who they are, and by what."""

    account: Account
    factors: tuple[str, ...]

    @property
    def printed_name(self) -> str:
        """What a signature prints; the address stands in for a name that was never given."""
        return self.account.display_name or self.account.email


@contextmanager
def signer_in_session(request: HttpRequest, proof: SigningProof) -> Iterator[Signer]:
    """Yield the signed-in person, if the proof is right; within, the signature is made.

    People without a password here, who come by single sign-on, sign in there again just before each signature. One that
    was refused has used nothing up.
    """
    account = request.user
    assert isinstance(account, Account)
    if account.has_usable_password():
        yield _signer(request, account, proof)
        return
    require_confirmed_by(request, SINGLE_SIGN_ON)
    with counted_attempt(request, account.email):
        signer = Signer(account, (SINGLE_SIGN_ON, *_second(request, account, proof)))
    yield signer
    confirmation_spend(request)


def signer_at_machine(account: Account, proof: SigningProof) -> Signer:
    """Return the person at the site's own machine, if the proof is right."""
    if not account.has_usable_password():
        raise ValidationFailedError.of_fields(
            {"/password": "This account has no password: sign in the browser."}
        )
    return _signer(None, account, proof)


def _signer(request: HttpRequest | None, account: Account, proof: SigningProof) -> Signer:
    if not proof.password:
        raise ValidationFailedError.of_fields({"/password": "Enter your password to sign."})
    with counted_attempt(request, account.email):
        if not account.check_password(proof.password):
            raise WrongPasswordError("The password is wrong.")
        return Signer(account, ("password", *_second(request, account, proof)))


def _second(request: HttpRequest | None, account: Account, proof: SigningProof) -> tuple[str, ...]:
    """Check the second factor of a person who has one."""
    if not second_factors_of(account):
        return ()
    if proof.credential is not None and request is not None:
        if not passkey_is_right(account, request.session, dict(proof.credential)):
            raise WrongPasswordError("The key is not right.")
        return (SecondFactor.PASSKEY.value,)
    if not proof.code:
        raise ValidationFailedError.of_fields(
            {"/code": "Enter the code of your authenticator app or a recovery code, or use your key."}
        )
    if totp_is_right(account, proof.code):
        return (SecondFactor.TOTP.value,)
    if recovery_code_is_right(account, proof.code):
        return (SecondFactor.RECOVERY_CODE.value,)
    raise WrongPasswordError("This code is not right, or was used already.")
