"""The client itself."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from equipoise.client.connection import Connection, RetryPolicy
from equipoise.client.errors import ClientError, JobNotFinishedError
from equipoise.client.results import ItemReport, MaskFile, Result, SendReport
from equipoise.client.shapes import Case, Job, Session, Trial

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

CHUNK_ITEMS = 10
MAX_CHUNK_ITEMS = 100
CHUNK_JSON_BYTES = 8 * 1024 * 1024
CHUNK_FILE_BYTES = 64 * 1024 * 1024
"""Above these a request of many results is divided."""

_FIRST_POLL_S, _LONGEST_POLL_S = 1.0, 10.0


class Client:
    """A program's way to one trial.

    Parameters
    ----------
    url : str
        The site's address, https unless it is this machine.
    token : str
        The secret of a service token; it belongs to one trial and one role.
    timeout_s : float
        Of one try of one request.
    retry : RetryPolicy
        How often a request is tried when the site is busy, failing or away.
    transport : httpx.BaseTransport, optional
        Where the requests go; for tests and proxies.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 120.0,
        retry: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        allow_plain_http: bool = False,
    ) -> None:
        self._sleep = sleep
        self._connection = Connection(
            url,
            token,
            timeout_s=timeout_s,
            retry=retry or RetryPolicy(),
            transport=transport,
            sleep=sleep,
            allow_plain_http=allow_plain_http,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def session(self) -> Session:
        """Return what the token opens; raises ``ApiError`` (``not_signed_in``) if it has ended."""
        trials = self.trials()
        if len(trials) != 1 or len(trials[0].roles) != 1:
            raise ClientError("A service token opens one trial in one role; this is none.")
        return Session(trial=trials[0], role=trials[0].roles[0])

    def trials(self) -> list[Trial]:
        """Return the trials that the token opens."""
        return [Trial.from_json(row) for row in self._connection.pages("trials")]

    def cases(self, trial_id: str) -> list[Case]:
        """Return the trial's cases; for tokens of a data manager."""
        return [Case.from_json(row) for row in self._connection.pages(f"trials/{trial_id}/cases")]

    def results(self, trial_id: str) -> Iterator[dict[str, Any]]:
        """Yield the results that the trial has, as the site tells them; for tokens of a data manager."""
        return self._connection.pages(f"trials/{trial_id}/results")

    def send_results(
        self,
        trial_id: str,
        results: Iterable[Result],
        *,
        chunk_items: int = CHUNK_ITEMS,
        progress: Progress | None = None,
    ) -> SendReport:
        """Send results, divided into requests of moderate size, and return the report on each.

        What is refused does not stop the others. A request that fails on the way is sent again with the same keys, so
        that nothing is stored twice.

        Raises
        ------
        ValueError
            If two results have one key, or ``chunk_items`` is not from 1 to 100. Nothing is sent then.
        ApiError, UnreachableError
            If a whole request is refused or the site stays away; send the same results again later.
        """
        if not 1 <= chunk_items <= MAX_CHUNK_ITEMS:
            raise ValueError(f"chunk_items must be from 1 to {MAX_CHUNK_ITEMS}, got {chunk_items}.")
        prepared = [_Prepared.of(result, number) for number, result in enumerate(results)]
        _check_keys(prepared)
        reports: list[ItemReport] = []
        for chunk in _chunks(prepared, chunk_items):
            answer = self._connection.send(f"trials/{trial_id}/results", **_body(chunk))
            reports += [_item_report(one, row) for one, row in zip(chunk, answer["results"], strict=True)]
            if progress is not None:
                progress(len(reports), len(prepared))
        return SendReport(tuple(reports))

    def job(self, job_id: str) -> Job:
        """Return where a job stands."""
        return Job.from_json(self._connection.get(f"jobs/{job_id}"))

    def wait_for_job(
        self, job_id: str, *, timeout_s: float = 3600.0, progress: Progress | None = None
    ) -> Job:
        """Return a job when it is finished, in whatever way.

        Raises
        ------
        JobNotFinishedError
            If it is still at work after ``timeout_s``; it goes on.
        """
        waited_s, wait_s = 0.0, _FIRST_POLL_S
        while True:
            job = self.job(job_id)
            if progress is not None:
                progress(job.done + job.failed, job.total)
            if job.is_finished:
                return job
            if waited_s + wait_s > timeout_s:
                raise JobNotFinishedError(
                    f"The job is {job.state} after {waited_s:g} s ({job.done}/{job.total})."
                )
            self._sleep(wait_s)
            waited_s += wait_s
            wait_s = min(wait_s * 1.5, _LONGEST_POLL_S)

    def export_readings(self, trial_id: str, path: Path) -> Path:
        """Write the tidy table of readings to a file; it is there whole or not at all."""
        self._connection.save(f"trials/{trial_id}/export/readings.csv", path)
        return path


@dataclass(frozen=True)
class _Prepared:
    """A result with its JSON text; its files are read when it is sent."""

    key: str
    case: str
    text: str
    files: tuple[tuple[str, Callable[[], bytes]], ...]
    file_bytes: int

    @classmethod
    def of(cls, result: Result, number: int) -> "_Prepared":
        part, heat_part = f"mask-{number}", f"heat-{number}"
        files: list[tuple[str, Callable[[], bytes]]] = []
        file_bytes = 0
        if isinstance(result.contour, MaskFile):
            files.append((part, result.contour.path.read_bytes))
            file_bytes += result.contour.path.stat().st_size
        if result.heat_map is not None:
            files.append((heat_part, result.heat_map.content))
            file_bytes += result.heat_map.size_bytes
        return cls(
            key=result.key,
            case=result.case,
            text=json.dumps(result.as_json(part=part, heat_part=heat_part)),
            files=tuple(files),
            file_bytes=file_bytes,
        )


def _check_keys(prepared: Sequence[_Prepared]) -> None:
    seen: set[str] = set()
    for one in prepared:
        if one.key in seen:
            raise ValueError(f"Two results have the key {one.key!r}; each result needs its own.")
        seen.add(one.key)


def _chunks(prepared: Sequence[_Prepared], chunk_items: int) -> Iterator[list[_Prepared]]:
    chunk: list[_Prepared] = []
    json_bytes = file_bytes = 0
    for one in prepared:
        is_full = (
            len(chunk) == chunk_items
            or json_bytes + len(one.text) > CHUNK_JSON_BYTES
            or file_bytes + one.file_bytes > CHUNK_FILE_BYTES
        )
        if chunk and is_full:
            yield chunk
            chunk, json_bytes, file_bytes = [], 0, 0
        chunk.append(one)
        json_bytes += len(one.text)
        file_bytes += one.file_bytes
    if chunk:
        yield chunk


def _body(chunk: Sequence[_Prepared]) -> dict[str, Any]:
    """Return the request's body: a form if there are files, with neutral names, else JSON."""
    listed = f"[{','.join(one.text for one in chunk)}]"
    files = {part: (part, read(), "application/octet-stream") for one in chunk for part, read in one.files}
    if files:
        return {"data": {"results": listed}, "files": files}
    content = f'{{"results":{listed}}}'.encode()
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def _item_report(sent: _Prepared, row: dict[str, Any]) -> ItemReport:
    return ItemReport(
        key=sent.key,
        case=sent.case,
        outcome=str(row["outcome"]),
        id=row.get("id"),
        code=row.get("code"),
        detail=row.get("detail"),
        data=row.get("data") or {},
    )
