"""The words a protocol is made of: base class, texts, numbers, keys. Every schema file beside this one uses them."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

MAX_TEXT = 20_000
"""Characters of the longest text a protocol may hold (consent)."""
MAX_SEED = 2**53 - 1
"""Largest seed that every JSON reader keeps exactly (RFC 8785)."""


def decimal_text(value: Decimal) -> str:
    """Return the one text of a decimal: no exponent, no trailing zeros."""
    text = format(value.normalize(), "f")
    return "0" if text in {"-0", "0"} else text


def _whole_number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


DecimalNumber = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str), Field(allow_inf_nan=False)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A name inside the protocol: lower case, digits, underscores."""
SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Whose contour: the name under which candidates are ingested. Readers never see it."""
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
VersionText = Annotated[
    str,
    BeforeValidator(_whole_number_as_text),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Percent = Annotated[int, Field(ge=0, le=100)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Part(BaseModel):
    """A part of the protocol: immutable, exact types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
