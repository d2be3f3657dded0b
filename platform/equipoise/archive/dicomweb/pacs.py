"""Fetching from an archive that the site has named: searched by QIDO-RS, retrieved by WADO-RS.

Users choose an archive by its name; addresses and credentials are the site's alone. A connection reaches the named
address and nothing else: no redirect is followed, no proxy or credentials of the machine's user are taken, and UIDs
from the archive are checked before they become part of an address. Whom a search is about stands in no error and no
log: the libraries below write addresses into both, so their words are replaced and their logs are off.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from equipoise.archive.dicomweb.related import PartFiles, boundary_of
from equipoise.archive.dicomweb.spool import MAX_INSTANCE_BYTES, MAX_INSTANCES, is_uid
from equipoise.common.errors import DomainError, ErrorCode, NotFoundError, TooLargeError

for _name in ("dicomweb_client", "urllib3", "requests"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

CONNECT_S, READ_S = 10.0, 120.0
_CHUNK_BYTES = 1 << 20
_MAX_STUDIES = 100
"""Of one patient or accession number: more means that the archive did not understand the search."""
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class PullBy(StrEnum):
    """By which attribute studies are named."""

    STUDY = "StudyInstanceUID"
    PATIENT = "PatientID"
    ACCESSION = "AccessionNumber"


class PacsUnreachableError(DomainError):
    """The archive does not answer, or breaks off; it may do better later."""

    code = ErrorCode.PACS_UNREACHABLE
    http_status = 502


class PacsRefusedError(DomainError):
    """The archive answers, but not what was asked."""

    code = ErrorCode.PACS_REFUSED
    http_status = 502


@dataclass(frozen=True, slots=True)
class Pacs:
    """An archive as the site's settings name it."""

    name: str
    url: str
    user: str = ""
    secret: str = field(default="", repr=False)
    """A password with a user, a bearer token without one."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series that an archive has."""

    study_uid: str = field(repr=False)
    uid: str = field(repr=False)
    modality: str
    instance_count: int


def pacs_names() -> list[str]:
    """Return the names of the archives that the site may fetch from."""
    return sorted(settings.PACS)


def pacs_named(name: str) -> Pacs:
    """Return the archive of a name."""
    url = settings.PACS.get(name)
    if url is None:
        known = ", ".join(pacs_names()) or "none"
        raise NotFoundError(f"The site names no archive {name!r}; it names: {known}.")
    user, secret = settings.PACS_CREDENTIALS.get(name, ("", ""))
    return Pacs(name, url, user, secret)


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """Reaches addresses below one base and follows no redirect."""

    def __init__(self, pacs: Pacs) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        self.mount(f"{pacs.url}/", HTTPAdapter())
        if pacs.secret:
            self.auth = HTTPBasicAuth(pacs.user, pacs.secret) if pacs.user else _Bearer(pacs.secret)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Refuse a redirect wherever it leads."""
        if resp.is_redirect:
            resp.close()
            raise PacsRefusedError(
                "The archive sends its callers to another address; name that address in the site's settings."
            )
        return None


class PacsConnection:
    """A connection to an archive; a context manager."""

    def __init__(self, pacs: Pacs) -> None:
        from dicomweb_client import DICOMwebClient

        self._pacs, self._session = pacs, _Session(pacs)
        self._client = DICOMwebClient(
            pacs.url, session=self._session, permissive_uid=True, timeout=(CONNECT_S, READ_S)
        )
        self._client.set_http_retry_params(retry=False)  # a job tries again, with longer pauses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def studies(self, by: PullBy, value: str) -> list[str]:
        """Return the UIDs of the studies whose attribute is exactly this, however loosely the archive searched."""
        if by is PullBy.STUDY:
            return [value]
        with _own_words():
            rows = self._client.search_for_studies(
                limit=_MAX_STUDIES, search_filters={by.value: value}, fields=[by.value]
            )
            found = [_text(row, "StudyInstanceUID") for row in rows if _text(row, by.value) == value]
        return list(dict.fromkeys(uid for uid in found if is_uid(uid)))

    def series(self, study_uid: str, modalities: frozenset[str] = frozenset()) -> list[FoundSeries]:
        """Return the series of a study, of these modalities if any are named."""
        with _own_words():
            rows = self._client.search_for_series(study_instance_uid=study_uid)
            found = [
                FoundSeries(
                    study_uid,
                    _text(row, "SeriesInstanceUID"),
                    _text(row, "Modality"),
                    int(_text(row, "NumberOfSeriesRelatedInstances") or 0),
                )
                for row in rows
                if _text(row, "StudyInstanceUID") in ("", study_uid)
            ]
        wanted = [one for one in found if not modalities or one.modality in modalities]
        return [one for one in wanted if is_uid(one.uid)]

    def fetch(
        self,
        series: FoundSeries,
        folder: Path,
        *,
        max_instances: int = MAX_INSTANCES,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[Path]:
        """Write the instances of a series into a folder, as they come, under names of ours.

        Parameters
        ----------
        folder : Path
            Exists.
        check : callable
            Called with every piece that comes; raises to stop.
        """
        address = f"{self._pacs.url}/studies/{series.study_uid}/series/{series.uid}"
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
        with (
            _own_words(),
            self._session.get(address, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as response,
        ):
            response.raise_for_status()
            parts = PartFiles(
                folder,
                boundary_of(response.headers.get("Content-Type", "")),
                max_parts=max_instances,
                max_part_bytes=MAX_INSTANCE_BYTES,
            )
            count = 0
            for path in parts.read(_checked(response.iter_content(_CHUNK_BYTES), check)):
                count += 1
                yield path
            if count < series.instance_count:  # a scan without its first slices would pass every other check
                raise PacsUnreachableError(
                    f"The archive gave {count} of a series' {series.instance_count} instances."
                )


def _checked(chunks: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        check()
        yield chunk


@contextmanager
def _own_words() -> Iterator[None]:
    """Turn the libraries' errors, which quote addresses, into ours, which do not, and cut the chain to them."""
    try:
        yield
    except TooLargeError:
        raise
    except DomainError as error:
        if isinstance(error, PacsRefusedError | PacsUnreachableError):
            raise
        raise PacsRefusedError("The archive's answer cannot be read as DICOM files in parts.") from None
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise PacsRefusedError("The archive refuses the site's credentials.") from None
        if status == 404:
            raise NotFoundError("The archive has no such study.") from None
        if status >= 500 or status == 429:
            raise PacsUnreachableError(f"The archive answers with an error ({status}).") from None
        raise PacsRefusedError(f"The archive refuses the request ({status}).") from None
    except requests.exceptions.InvalidSchema:
        raise PacsRefusedError("The archive's answer leads to another address.") from None
    except requests.JSONDecodeError:
        raise PacsRefusedError("The archive's answer cannot be read.") from None
    except (requests.RequestException, OSError):
        raise PacsUnreachableError("The archive cannot be reached, or broke off.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PacsRefusedError("The archive's answer cannot be read.") from None


def _text(row: Mapping[str, Any], keyword: str) -> str:
    """Return an attribute's first value as text, empty where there is none."""
    from pydicom.datadict import tag_for_keyword

    values = (row.get(f"{tag_for_keyword(keyword):08X}") or {}).get("Value") or [""]
    return str(values[0]).strip()
