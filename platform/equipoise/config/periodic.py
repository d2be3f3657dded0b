"""What the tick loop keeps tidy for the layers below the trials."""

from django.core.management import call_command

from equipoise.accounts.attempts import sign_in_attempts_sweep
from equipoise.api.idempotency import idempotent_answers_sweep
from equipoise.audit.retention import retention_apply
from equipoise.jobs.tick import register_periodic

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def sessions_sweep() -> None:
    """Delete sessions that have ended."""
    call_command("clearsessions")


register_periodic("api.idempotent_answers", HOUR_S, idempotent_answers_sweep)
register_periodic("accounts.sign_in_attempts", HOUR_S, sign_in_attempts_sweep)
register_periodic("accounts.sessions", DAY_S, sessions_sweep)
register_periodic("audit.retention", DAY_S, retention_apply)
