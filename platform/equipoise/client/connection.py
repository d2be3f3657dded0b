"""Requests that do not give up at the first fault: waits between tries, and one error type for refusals."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from equipoise.client.errors import ApiError, UnreachableError

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long apart a request is tried; every request of this package may be repeated safely."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}.")

    def wait_s(self, attempt: int, *, asked_s: float | None, jitter: float) -> float:
        """Return how long to wait after a failed try: what the site asks for, else doubled each time.

        ``jitter`` (0 to 1) spreads many programs that failed at the same moment.
        """
        if asked_s is not None:
            return min(max(asked_s, 0.0), self.longest_wait_s)
        doubled = min(self.first_wait_s * 2.0**attempt, self.longest_wait_s)
        return doubled * (0.5 + 0.5 * jitter)


class Connection:
    """One site, one token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float,
        retry: RetryPolicy,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None] = time.sleep,
        allow_plain_http: bool = False,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be the site's address, like https://trials.example.org, got {url!r}.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not allow_plain_http:
            raise ValueError("A token must not travel in the clear: use https, or allow_plain_http=True.")
        self._retry, self._sleep = retry, sleep
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            transport=transport,
        )

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return a resource."""
        return self._tried("GET", path, params=dict(params or {})).json()

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page after page."""
        params: dict[str, str] = {}
        while True:
            page = self.get(path, params)
            yield from page["results"]
            # Of the next address only the query counts: behind a proxy its host may be another one.
            following = (
                httpx.URL(page.get("next") or "").params if isinstance(page.get("next"), str) else None
            )
            if not following:
                return
            params = dict(following)

    def send(self, path: str, **body: Any) -> Any:
        """Post what the site stores once, however often it comes."""
        return self._tried("POST", path, **body).json()

    def save(self, path: str, target: Path) -> None:
        """Write a resource to a file, which is there whole or not at all."""
        partial = target.with_name(f"{target.name}.part")

        def download() -> httpx.Response:
            with self._http.stream("GET", path) as response:
                if not response.is_success:
                    response.read()
                    return response
                with partial.open("wb") as sink:
                    for block in response.iter_bytes():
                        sink.write(block)
            return response

        try:
            self._answer(download)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _tried(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._answer(lambda: self._http.request(method, path, **options))

    def _answer(self, attempt_once: Callable[[], httpx.Response]) -> httpx.Response:
        """Try until there is an answer that another try would not change."""
        for attempt in range(self._retry.attempts):
            is_last = attempt + 1 == self._retry.attempts
            asked_s = None
            try:
                response = attempt_once()
            except httpx.TransportError as error:
                if is_last:
                    raise UnreachableError(
                        f"The site did not answer in {self._retry.attempts} tries ({type(error).__name__})."
                    ) from error
            else:
                if response.is_success:
                    return response
                if is_last or response.status_code not in RETRIED_STATUSES:
                    raise _api_error(response)
                asked_s = _retry_after_s(response)
            jitter = random.random()  # noqa: S311 - spreads waits, protects nothing
            self._sleep(self._retry.wait_s(attempt, asked_s=asked_s, jitter=jitter))
        raise AssertionError("The last try returns or raises.")


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdigit() else None


def _api_error(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    data = body.get("data")
    return ApiError(
        status=response.status_code,
        code=str(body.get("code", "unknown")),
        detail=str(body.get("detail", "The answer is not one of Equipoise; is the address right?")),
        data=data if isinstance(data, dict) else {},
    )
