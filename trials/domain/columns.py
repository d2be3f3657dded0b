"""The fixed columns of ``readings.csv``. Other programs rely on them: they are only ever added to."""

READINGS_COLUMNS = (
    "trial",
    "participant",
    "participant_kind",
    "group",
    "experience_years",
    "case",
    "item",
    "slice",
    "condition",
    "repeat",
    "session",
    "position",
    "task",
    "score",
    "decision",
    "preferred",
    "left_source",
    "right_source",
    "left_contour_id",
    "right_contour_id",
    "choice_side",
    "decision_s",
    "wall_s",
    "visible_s",
    "active_s",
    "active_30_s",
    "active_120_s",
    "comment_s",
    "flags",
    "comment",
    "state",
    "reason_code",
    "corrected_preferred",
)
"""The columns of ``readings.csv``: those that other programs rely on, then ours."""

CORRECTED_COLUMNS = {
    "corrected_preferred": "preferred",
    "corrected_decision": "decision",
    "corrected_score": "score",
}
"""Columns of the last answer where it was corrected -> the column of the first one."""

PERIOD = "period"

ALGORITHM_COLUMNS = ("run_s", "cold_start_s", "device", "failure_code", "used_in_training")
"""Columns that only a trial with results of algorithms has."""

AID_COLUMNS = ("aid_available", "aid_probability", "aid_result_id")
"""Columns that only a trial with an aided condition has: what was shown, told once unblinded."""

RESTART_COLUMNS = ("attempt", "earlier_visible_s")
"""Columns that only a trial has whose readings may begin anew: which attempt was answered, and the time of the others.
A question of a form that has such a name keeps it."""

RESERVED = frozenset({*READINGS_COLUMNS, *CORRECTED_COLUMNS, *ALGORITHM_COLUMNS, *AID_COLUMNS, PERIOD})
"""Names that no question of a form may have: its answers are a column of its own."""
