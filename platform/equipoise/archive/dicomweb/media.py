"""Which form of a thing a caller accepts (PS3.18 8.7)."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from equipoise.archive.dicomweb.errors import NotAcceptableError

DICOM_JSON = "application/dicom+json"
JSON = "application/json"
PARTS_OF_DICOM = 'multipart/related; type="application/dicom"'
PARTS_OF_BYTES = 'multipart/related; type="application/octet-stream"'
DICOM_FILE = "application/dicom"
BYTES = "application/octet-stream"
PNG, JPEG = "image/png", "image/jpeg"

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
"""The one transfer syntax that instances have on their way out."""

_ENTRIES = re.compile(r'(?:"[^"]*"|[^,"])+')
_PARAMETERS = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^;\s]*))')
_MAX_CHARACTERS = 2000


def chosen(accept: str, offers: Sequence[str]) -> str:
    """Return the first offer that a caller accepts, in the caller's order; the first of all where none is asked for.

    Raises
    ------
    NotAcceptableError
        If none will do.
    """
    if not accept.strip():
        return offers[0]
    for wanted, part, syntax in _entries(accept[:_MAX_CHARACTERS]):
        if syntax not in ("", "*", EXPLICIT_LITTLE_ENDIAN):
            continue
        for offer in offers:
            kind, _, parts = offer.partition("; type=")
            if fnmatchcase(kind, wanted) and (not parts or fnmatchcase(parts.strip('"'), part)):
                return offer
    raise NotAcceptableError(f"This is given as {' or '.join(offers)}, explicit little endian.")


def _entries(accept: str) -> Iterator[tuple[str, str, str]]:
    """Yield type, type of the parts and transfer syntax of each entry."""
    for entry in _ENTRIES.findall(accept):
        parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETERS.findall(entry)}
        kind = entry.partition(";")[0].strip().lower().replace("[", "[[]")
        part = parameters.get("type", "*").lower().replace("[", "[[]")
        yield kind, part, parameters.get("transfer-syntax", "")
