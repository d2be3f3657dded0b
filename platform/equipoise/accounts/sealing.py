"""Secrets that must be read back (not only compared) lie in the database sealed with the site's key."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBrokenError(ValueError):
    """The site's key is not the one the secret was sealed with, or the secret was altered."""


def _fernet(purpose: str) -> Fernet:
    key = hashlib.sha256(f"equipoise.accounts.{purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def seal(purpose: str, secret: str) -> str:
    """Return the secret encrypted and authenticated, for one purpose."""
    return _fernet(purpose).encrypt(secret.encode()).decode()


def unseal(purpose: str, sealed: str) -> str:
    """Return the secret again."""
    try:
        return _fernet(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBrokenError(f"A sealed {purpose} cannot be opened with this site's key.") from None
