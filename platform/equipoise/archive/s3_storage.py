"""The store in an S3-compatible service: objects under a prefix of one bucket, read by range.

An object appears whole when its upload completes, or not at all, and parts of an upload are in no listing. boto3 is
imported here alone, and this module only where ``EQUIPOISE_STORAGE_URL`` begins with ``s3:``.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from equipoise.archive.storage import (
    PackStore,
    StoredFileDamagedError,
    StoreUnavailableError,
    require_key,
)

try:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as error:
    raise ImproperlyConfigured(
        "EQUIPOISE_STORAGE_URL begins with 's3:', which needs boto3: install equipoise[s3]."
    ) from error

_GONE = frozenset({"NoSuchKey", "404", "NotFound", "InvalidRange", "416"})
_BLOCK_BYTES = 1 << 20
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5, 60
_ATTEMPTS = 4
_CONNECTIONS = 64
_OPTIONS = frozenset({"endpoint", "region"})


def store_at_url(url: str, incoming: Path) -> "S3PackStore":
    """Return the store that ``s3://bucket/prefix?endpoint=https://host:9000&region=name`` names.

    Both options may be left out; who may use the bucket is told by AWS's own variables, files or instance roles.

    Raises
    ------
    ImproperlyConfigured
        If the address names no bucket or has other options.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - _OPTIONS)
    if not parts.netloc or unknown:
        found = f"the option '{unknown[0]}' is unknown" if unknown else "it names no bucket"
        raise ImproperlyConfigured(
            f"EQUIPOISE_STORAGE_URL must be s3://bucket/prefix?endpoint=https://host&region=name; {found}."
        )
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=options.get("endpoint"),
        region_name=options.get("region"),
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            # services other than AWS's know buckets by path, and not all know the newer checksums
            s3={"addressing_style": "path" if "endpoint" in options else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    return S3PackStore(client, parts.netloc, unquote(parts.path).strip("/"), incoming)


class S3PackStore(PackStore):
    """Objects of one bucket."""

    def __init__(self, client: Any, bucket: str, prefix: str, incoming: Path) -> None:
        super().__init__(incoming)
        self._client, self._bucket = client, bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Fetch one range; nothing else of the object is read."""
        if length == 0:
            return b""
        content = self._get(key, Range=f"bytes={offset}-{offset + length - 1}")
        if len(content) != length:
            raise StoredFileDamagedError(f"The stored file {key} ends before byte {offset + length}.")
        return content

    def read(self, key: str) -> bytes:
        """Fetch a whole object."""
        return self._get(key)

    def open(self, key: str) -> io.BufferedReader:
        """Open an object for reading; it is fetched block by block, as far as it is read."""
        with _told_as_ours(key):
            size = self._client.head_object(Bucket=self._bucket, Key=self._name(key))["ContentLength"]
        return io.BufferedReader(_ObjectReader(self, key, size), _BLOCK_BYTES)

    def sha256(self, key: str) -> str:
        """Return the SHA-256 of an object's bytes as they are now, fetched once."""
        digest = sha256()
        with _told_as_ours(key):
            body = self._client.get_object(Bucket=self._bucket, Key=self._name(key))["Body"]
            for block in body.iter_chunks(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is no fault."""
        with _told_as_ours(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def keys(self) -> Iterator[str]:
        """Yield the keys of all objects under the prefix, in order; one with a name that is no key comes too."""
        pages = self._client.get_paginator("list_objects_v2")
        with _told_as_ours("list"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self._prefix)

    def sweep(self, before: datetime) -> int:
        """End uploads in parts that were begun before a time and never completed; return how many."""
        pages, ended = self._client.get_paginator("list_multipart_uploads"), 0
        with _told_as_ours("list of uploads"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        ended += 1
        return ended

    def _publish(self, part: Path, key: str, digest: str) -> None:
        with _told_as_ours(key):
            self._client.upload_file(
                str(part),
                self._bucket,
                self._name(key),
                ExtraArgs={"Metadata": {"sha256": digest}, "ContentType": "application/octet-stream"},
                Config=TransferConfig(multipart_threshold=64 << 20, multipart_chunksize=16 << 20),
            )

    def _get(self, key: str, **options: str) -> bytes:
        with _told_as_ours(key):
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._name(key), **options)[
                "Body"
            ].read()
        return content

    def _name(self, key: str) -> str:
        return self._prefix + require_key(key)


class _ObjectReader(io.RawIOBase):
    """An object as a seekable file; every read is one range."""

    def __init__(self, store: S3PackStore, key: str, size: int) -> None:
        super().__init__()
        self._store, self._key, self._size, self._place = store, key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"{offset} from {start} lies before the file's beginning.")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = max(min(len(buffer), self._size - self._place), 0)
        buffer[:length] = self._store.read_range(self._key, self._place, length)
        self._place += length
        return length


@contextmanager
def _told_as_ours(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _GONE:
            raise StoredFileDamagedError(f"The stored file {key} is missing or too short.") from error
        raise StoreUnavailableError(f"The object storage refused {key}: {error}") from error
    except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
        raise StoreUnavailableError(f"The object storage cannot be reached for {key}: {error}") from error
