"""Row identifiers. They order rows by age and therefore never leave the administrators' and programs' interfaces."""

import secrets
import time
import uuid

READER_TOKEN_BYTES = 16
"""128 random bits: what a reader's browser may see instead of a row id."""


def new_id() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= secrets.randbits(12) << 64
    value |= 0b10 << 62
    value |= secrets.randbits(62)
    return uuid.UUID(int=value)


def new_reader_token() -> str:
    """Return a random, unordered, URL-safe name for something a reader may fetch."""
    return secrets.token_urlsafe(READER_TOKEN_BYTES)
