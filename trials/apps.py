"""Trials as a Django app."""

from django.apps import AppConfig


class TrialsConfig(AppConfig):
    """The study itself: protocol, cases, participants, readings, analyses."""

    name = "trials"
    label = "trials"

    def ready(self) -> None:
        """Declare what may never change, register the jobs' handlers, and say who holds which role."""
        from equipoise.accounts.roles import register_role_lookup
        from equipoise.audit.guards import register_guard
        from equipoise.audit.refusals import register_membership_check
        from equipoise.jobs.access import register_job_access
        from equipoise.jobs.services import register_on_finished
        from trials import jobs  # noqa: F401 - importing registers the handlers
        from trials.models.immutable import GUARDS
        from trials.selectors.access import access_jobs_of_trial, is_member, roles_of_account
        from trials.services.notifications import job_finished_record
        from trials.services.retention import retention_start

        for guard in GUARDS:
            register_guard(guard)
        register_job_access(access_jobs_of_trial)
        register_membership_check(is_member)
        register_on_finished(job_finished_record)
        retention_start()
        register_role_lookup(roles_of_account)
