"""Sessions in the database, as Django keeps them; the statement that every request begins with is written once."""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from equipoise.api.prepared import Parameter, PreparedQuery

_LIVE = PreparedQuery(
    lambda: Session.objects.filter(
        session_key=Parameter("key", Session, "session_key"),
        expire_date__gt=Parameter("now", Session, "expire_date"),
    )
)


class SessionStore(db.SessionStore):
    """Django's own, but for how a session is looked up."""

    def _get_session_from_db(self) -> Any:
        session = _LIVE.first(key=self.session_key, now=timezone.now()) if self.session_key else None
        if session is None:
            self._session_key = None
        return session
