"""A simulated reader who speaks to a real server over HTTP, as a browser does."""

import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import httpx

from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from trials.models import Participant, Reading


class HttpReader:
    """One signed-in reader."""

    def __init__(self, url: str, participant: Participant) -> None:
        assert participant.membership is not None
        self._email = participant.membership.account.email
        self._path = f"/reader/{participant.trial.slug}/current"
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=20)

    def __enter__(self) -> Self:
        self._client.headers["X-CSRFToken"] = self._client.get("/session").json()["csrf_token"]
        session = self._post("/session", {"email": self._email, "password": PASSWORD})
        self._client.headers["X-CSRFToken"] = session["csrf_token"]
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def read_everything(
        self,
        *,
        choose: Callable[[Reading], str] | None = None,
        answer: Callable[[Reading], dict[str, Any]] | None = None,
    ) -> int:
        """Answer every reading; ``choose`` or ``answer`` looks behind the scenes at the reading. Returns how many."""
        step, count = "reading", 0
        while step in ("practice", "reading", "blinding-check"):
            shown = self._post(f"{self._path}/open", {"environment": factory.ENVIRONMENT})
            reading = Reading.objects.select_related("left", "item__case").get(token=shown["reading"])
            choice = choose(reading) if choose is not None else ""
            given = {"choice": choice, "reason_code": None, "comment": ""}
            body = {
                "reading": shown["reading"],
                "lease": shown["lease"],
                "key": str(uuid.uuid4()),
                "answer": answer(reading) if answer is not None else given,
                "events": [asdict(event) for event in factory.events_of(seconds=4, choice=choice)],
            }
            step = self._post(f"{self._path}/submit", body)["next"]["step"]
            count += 1
        return count
