"""What may be done, who may do it: one enum of acts, one enum of roles, one table between them.

A permission is ``resource:action`` and never names a role. Roles are held per trial (a membership), except for
:attr:`Role.SITE_ADMINISTRATOR`, who runs the site and sees no results. Blinding depends on the trial's state too;
that rule is ``trials.domain.blinding``.
"""

from enum import StrEnum


class Permission(StrEnum):
    """Every act that needs a right. Keep alphabetical."""

    ALGORITHM_RUN = "algorithm:run"
    ALLOCATION_VIEW_BALANCE = "allocation:view_balance"
    ALLOCATION_VIEW_ROWS = "allocation:view_rows"
    ANALYSIS_RUN = "analysis:run"
    ANALYSIS_VIEW = "analysis:view"
    AUDIT_VIEW = "audit:view"
    CASE_INGEST = "case:ingest"
    CASE_VIEW = "case:view"
    CASE_VIEW_SOURCES = "case:view_sources"
    DICOM_RETRIEVE = "dicom:retrieve"
    EXPORT_CREATE = "export:create"
    INGEST_LOG_VIEW = "ingest_log:view"
    JOB_CANCEL = "job:cancel"
    JOB_VIEW = "job:view"
    MONITOR_VIEW = "monitor:view"
    PARTICIPANT_INVITE = "participant:invite"
    PARTICIPANT_VIEW = "participant:view"
    PARTICIPANT_WITHDRAW = "participant:withdraw"
    PROTOCOL_EDIT = "protocol:edit"
    PROTOCOL_VIEW = "protocol:view"
    PUBLIC = "public:any"
    """Declared by the few views that anybody may call: sign-in, invitation, health."""
    READING_DO = "reading:do"
    READING_RELEASE = "reading:release"
    RESULT_SUBMIT = "result:submit"
    REVIEW_WRITE = "review:write"
    """Queries and deviations; never a role that sees anything by arm before unblinding."""
    SELF = "self:any"
    """Declared by views that speak only of the signed-in account itself."""
    SITE_MANAGE = "site:manage"
    TOKEN_MANAGE = "token:manage"  # noqa: S105 - an act's name, not a secret
    TRIAL_ARCHIVE = "trial:archive"
    TRIAL_CLOSE = "trial:close"
    TRIAL_CREATE = "trial:create"
    TRIAL_DATA_LOCK = "trial:data_lock"
    TRIAL_LOCK = "trial:lock"
    TRIAL_OPEN = "trial:open"
    TRIAL_UNBLIND = "trial:unblind"
    TRIAL_VIEW = "trial:view"


class Role(StrEnum):
    """Who a person or program is in one trial."""

    ADMINISTRATOR = "administrator"
    DATA_MANAGER = "data_manager"
    BLINDED_MONITOR = "blinded_monitor"
    UNBLINDED_STATISTICIAN = "unblinded_statistician"
    READER = "reader"
    ALGORITHM = "algorithm"
    SITE_ADMINISTRATOR = "site_administrator"


_SEE_TRIAL = frozenset({Permission.TRIAL_VIEW, Permission.JOB_VIEW, Permission.PROTOCOL_VIEW})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: _SEE_TRIAL
    | {
        Permission.ALGORITHM_RUN,
        Permission.ALLOCATION_VIEW_BALANCE,
        Permission.ANALYSIS_RUN,
        Permission.ANALYSIS_VIEW,
        Permission.AUDIT_VIEW,
        Permission.CASE_INGEST,
        Permission.CASE_VIEW,
        Permission.CASE_VIEW_SOURCES,
        Permission.DICOM_RETRIEVE,
        Permission.EXPORT_CREATE,
        Permission.JOB_CANCEL,
        Permission.MONITOR_VIEW,
        Permission.PARTICIPANT_INVITE,
        Permission.PARTICIPANT_VIEW,
        Permission.PARTICIPANT_WITHDRAW,
        Permission.PROTOCOL_EDIT,
        Permission.READING_RELEASE,
        Permission.REVIEW_WRITE,
        Permission.TOKEN_MANAGE,
        Permission.TRIAL_ARCHIVE,
        Permission.TRIAL_CLOSE,
        Permission.TRIAL_DATA_LOCK,
        Permission.TRIAL_LOCK,
        Permission.TRIAL_OPEN,
        Permission.TRIAL_UNBLIND,
    },
    Role.DATA_MANAGER: _SEE_TRIAL
    | {
        Permission.ALGORITHM_RUN,
        Permission.CASE_INGEST,
        Permission.CASE_VIEW,
        Permission.CASE_VIEW_SOURCES,
        Permission.DICOM_RETRIEVE,
        Permission.EXPORT_CREATE,
        Permission.INGEST_LOG_VIEW,
        Permission.JOB_CANCEL,
        Permission.MONITOR_VIEW,
        Permission.PARTICIPANT_VIEW,
        Permission.RESULT_SUBMIT,
        Permission.REVIEW_WRITE,
    },
    Role.BLINDED_MONITOR: _SEE_TRIAL
    | {
        Permission.ALLOCATION_VIEW_BALANCE,
        Permission.AUDIT_VIEW,
        Permission.MONITOR_VIEW,
        Permission.PARTICIPANT_VIEW,
        Permission.REVIEW_WRITE,
    },
    Role.UNBLINDED_STATISTICIAN: _SEE_TRIAL
    | {
        Permission.ALLOCATION_VIEW_BALANCE,
        Permission.ALLOCATION_VIEW_ROWS,
        Permission.ANALYSIS_RUN,
        Permission.ANALYSIS_VIEW,
        Permission.AUDIT_VIEW,
        Permission.CASE_VIEW,
        Permission.CASE_VIEW_SOURCES,
        Permission.EXPORT_CREATE,
        Permission.MONITOR_VIEW,
        Permission.PARTICIPANT_VIEW,
        Permission.TRIAL_UNBLIND,
    },
    Role.READER: frozenset({Permission.READING_DO}),
    Role.ALGORITHM: frozenset({Permission.RESULT_SUBMIT}),
    Role.SITE_ADMINISTRATOR: frozenset({Permission.SITE_MANAGE, Permission.TRIAL_CREATE}),
}
"""The one role table. A role absent from it may do nothing."""

UNBLINDING_ROLES = frozenset(
    role
    for role, permissions in ROLE_PERMISSIONS.items()
    if permissions & {Permission.CASE_VIEW_SOURCES, Permission.ALLOCATION_VIEW_ROWS}
)
"""Whoever has held one of these can never be a reader of the same trial."""


def role_allows(role: Role, permission: Permission) -> bool:
    """Say whether the role table grants the act."""
    return permission in ROLE_PERMISSIONS.get(role, frozenset())
