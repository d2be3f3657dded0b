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
    Guard("trials_readingattempt", where=_LIVE),
    Guard("trials_latesubmission", where=_LIVE),
    Guard("trials_responsefile", where=_LIVE),
    Guard("trials_referencestandard"),
    Guard("trials_consent"),
    Guard("trials_displaycheck"),
    Guard("trials_reviewrecord"),
    Guard("trials_reviewstep"),
    Guard("trials_signature"),
    Guard("trials_signaturename", deletable=True),  # erasing a person takes their printed name
    Guard("trials_allocationrow"),
    Guard("trials_sealedseed"),
    Guard("trials_algorithmresult"),
    Guard("trials_algorithmheatmap"),
    Guard("trials_externaltable"),
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
                ("open", "blocked"),
                ("planned", "blocked"),
                ("blocked", "released"),
                ("blocked", "not-done"),
                ("released", "open"),
                ("released", "blocked"),
                ("released", "not-done"),
                ("submitted", "voided"),
                ("not-assessable", "voided"),
            ),
            "token": ((None, ANY),),
            "lease": _ANY_CHANGE,
            "first_opened_at": ((None, ANY),),
            "opened_at": _ANY_CHANGE,
            "painted_at": ((None, ANY),),
            "submitted_at": ((None, ANY),),
            "session": _ANY_CHANGE,
            "environment": _ANY_CHANGE,
            "flags": _ANY_CHANGE,
            "aid_result_id": ((None, ANY),),
            "aid_fixed_at": ((None, ANY),),
        },
        frozen_once={"aid_result_id": "aid_fixed_at"},
    ),
)
"""Declared here, installed after every migration."""
