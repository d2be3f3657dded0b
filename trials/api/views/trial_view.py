"""The base of every view below one trial: the right is checked where the trial is loaded."""

import json
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from equipoise.api.etags import etag_of, not_modified
from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission
from trials.api.views.acting import caller_of
from trials.models import Trial
from trials.selectors.access import access_trial


class TrialView(ApiView):
    """A view of one trial. ``self.trial`` is there once the declared permission was found."""

    trial: Trial

    def authorize(self, request: Request, permission: Permission) -> None:
        """Load the trial if the caller may do this to it."""
        self.trial = access_trial(caller_of(request), self.kwargs["trial_id"], permission)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Give what is read an ETag, so that programs can poll it; browsers are still told to keep nothing of it."""
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
