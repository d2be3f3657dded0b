"""Secrets of programs: how they are made and what of them is stored."""

import hashlib
import secrets

PREFIX = "eqp_"
"""By which secret scanners can recognise ours."""
SHOWN_LENGTH = 10


def new_secret() -> str:
    """Return a secret with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def secret_sha256(secret: str) -> str:
    """Return what is stored. A plain hash is enough: the secret has 256 random bits, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
