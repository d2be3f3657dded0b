"""The base of every view below one trial: the right is checked where the trial is loaded."""

from rest_framework.request import Request

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
