"""What a backup holds, as it says itself: ``manifest.json``, the last member of the file.

A backup is a zip file that any tool can open, or such a file under a key (:mod:`.encryption`)::

    database/db.sqlite3 or database/dump.pgc      the database (pg_dump's custom format)
    store/<key>                                   every stored file under its key
    weights/<name>                                registered weights and their cards
    manifest.json                                 this document
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

FORMAT = "equipoise/backup/1"
MEMBER = "manifest.json"
STORE, WEIGHTS = "store/", "weights/"
DATABASE_MEMBERS = {"sqlite": "database/db.sqlite3", "postgresql": "database/dump.pgc"}
KEPT_BY_THE_SITE = (
    "the signing key (EQUIPOISE_SECRET_KEY, or DATA_DIR/secret-key), under which the audit trail names people",
    "the key of encrypted backups (EQUIPOISE_BACKUP_KEY)",
    "passwords of the database, the broker, the mail server, the object storage and the archives",
    "certificates and settings of the proxy",
)
"""What no backup holds; the site keeps it where it keeps its secrets."""
LEFT_OUT = (
    "sessions: everybody signs in again",
    "uploads and deliveries that had not become cases",
)


class BackupRefusedError(Exception):
    """A backup cannot be made or used as it is; nothing was changed."""


@dataclass(frozen=True)
class TableFacts:
    """The rows of one table: their columns, how many, and a digest that does not hang on their order."""

    columns: tuple[str, ...]
    rows: int
    digest: str


@dataclass(frozen=True)
class FileFacts:
    """One file as it was when it was copied."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """The document."""

    equipoise: str
    created_at: str
    engine: str
    database: FileFacts
    migrations: tuple[tuple[str, str], ...]
    tables: Mapping[str, TableFacts]
    chains: Mapping[str, tuple[int, str]]
    """Entries and head of every audit chain."""
    files: Mapping[str, FileFacts]
    weights: Mapping[str, FileFacts]
    missing: tuple[str, ...]
    """Files that rows name and the store did not have."""
    altered: tuple[str, ...]
    """Files whose content was not what their rows say; they are held as they were."""
    key_check: str
    """Tells whether a site has the same signing key, and nothing else of it."""

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def sound(self) -> bool:
        """Whether every file was there and as its row says."""
        return not (self.missing or self.altered)

    def to_json(self) -> str:
        """Return the document's text."""
        document = {
            "format": FORMAT,
            **asdict(self),
            "left_out": LEFT_OUT,
            "kept_by_the_site": KEPT_BY_THE_SITE,
        }
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def manifest_of(text: bytes) -> Manifest:
    """Read the document.

    Raises
    ------
    BackupRefusedError
        If it is of another format.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BackupRefusedError(f"The backup's format is {document['format']}; {FORMAT} is known.")
        return Manifest(
            equipoise=document["equipoise"],
            created_at=document["created_at"],
            engine=document["engine"],
            database=FileFacts(**document["database"]),
            migrations=tuple((app, name) for app, name in document["migrations"]),
            tables={name: _table(facts) for name, facts in document["tables"].items()},
            chains={chain: (entries, head) for chain, (entries, head) in document["chains"].items()},
            files=_files(document["files"]),
            weights=_files(document["weights"]),
            missing=tuple(document["missing"]),
            altered=tuple(document["altered"]),
            key_check=document["key_check"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackupRefusedError(f"The backup's {MEMBER} cannot be read: {error!r}.") from error


def _table(facts: dict[str, Any]) -> TableFacts:
    return TableFacts(columns=tuple(facts["columns"]), rows=facts["rows"], digest=facts["digest"])


def _files(document: dict[str, Any]) -> dict[str, FileFacts]:
    return {name: FileFacts(**facts) for name, facts in document.items()}


def key_check() -> str:
    """Return what stands for this site's signing key in a manifest."""
    return hmac.new(settings.SECRET_KEY.encode(), b"equipoise/backup/key", "sha256").hexdigest()
