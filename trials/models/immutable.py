"""What the database itself refuses to change or delete, by whatever door it is asked.

Rehearsal rows stay free. A reading's identity (who reads what, when, on which side) is frozen the moment it is
written; only its state and its clock move, and an answered one can only be voided.
"""

from equipoise.audit.guards import ANY, Guard

_LIVE = {"realm": "live"}
_ANY_CHANGE = ((ANY, ANY),)

GUARDS = (
    Guard("trials_response", where=_LIVE),
    Guard("trials_readingevent", where=_LIVE),
    Guard("trials_latesubmission", where=_LIVE),
    Guard("trials_consent"),
    Guard("trials_allocationrow"),
    Guard("trials_sealedseed"),
    Guard("trials_algorithmresult"),
    Guard(
        "trials_reading",
        where=_LIVE,
        allowed_transitions={
            "state": (
                ("planned", "open"),
                ("planned", "not-done"),
                ("open", "submitted"),
                ("open", "not-assessable"),
                ("open", "not-done"),
                ("submitted", "voided"),
                ("not-assessable", "voided"),
            ),
            "token": ((None, ANY),),
            "lease": _ANY_CHANGE,
            "first_opened_at": ((None, ANY),),
            "painted_at": ((None, ANY),),
            "submitted_at": ((None, ANY),),
            "session": ((None, ANY),),
            "environment": _ANY_CHANGE,
            "flags": _ANY_CHANGE,
        },
    ),
)
"""Declared here, installed after every migration."""
