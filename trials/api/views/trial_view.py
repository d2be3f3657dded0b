"""The base of every view below one trial: the right is checked where the trial is loaded."""

import json
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from equipoise.api.etags import etag_of, not_modified
from equipoise.api.views import ApiView
from equipoise.audit.kinds import AuditKind
from equipoise.common.permissions import Permission
from trials.api.views.acting import actor_of, caller_of
from trials.models import Trial
from trials.selectors.access import access_trial
from trials.services.acts import look_record


class TrialView(ApiView):
    """A view of one trial. ``self.trial`` is there once the declared permission was found."""

    trial: Trial
    shows: ClassVar[tuple[AuditKind, str] | None] = None
    """Of views that show images, sources of contours, outcomes or results: the kind of entry that a look leaves, and
    what was looked at. A thing that the address names by its id is added."""

    def shows_now(self, response: Any) -> bool:
        """Say whether this answer shows what the view is there for. Empty lists show nothing."""
        return getattr(response, "data", None) is None or response.data.get("results") != []

    def note_look(self, request: Request, response: Any) -> None:
        """Leave the entry of a look; without it the answer does not go out."""
        if self.shows is None or request.method != "GET" or response.status_code != 200:
            return
        if not self.shows_now(response):
            return
        kind, thing = self.shows
        ids = [
            str(value) for name, value in self.kwargs.items() if name in ("case_id", "item_id", "analysis_id")
        ]
        look_record(self.trial, kind, subject=":".join([thing, *ids]), actor=actor_of(request))

    def authorize(self, request: Request, permission: Permission) -> None:
        """Load the trial if the caller may do this to it."""
        self.trial = access_trial(caller_of(request), self.kwargs["trial_id"], permission)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Give what is read an ETag, so that programs can poll it; browsers are still told to keep nothing of it."""
        self.note_look(request, response)
        is_read = request.method in ("GET", "HEAD") and isinstance(response, Response)
        if (
            is_read
            and response.status_code == 200
            and isinstance(response.data, dict)
            and "ETag" not in response
        ):
            etag = etag_of(json.dumps(response.data, cls=JSONEncoder, sort_keys=True))
            response = not_modified(request, etag) or response
            response.headers["ETag"] = etag
            response.headers["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)
