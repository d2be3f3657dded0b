"""A trial as its administrators see it: state, counts, what can be done next and what is missing for it."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from equipoise.accounts.models import ServiceToken
from equipoise.common.permissions import Role
from trials.domain.protocol.document import check_document
from trials.domain.protocol.tasks import ContourReviewTask, PreferenceTask
from trials.domain.review import ReviewKind
from trials.domain.signatures import SIGNED_ACTIONS
from trials.domain.state_acts import acts_open
from trials.domain.states import (
    PRECONDITION_TEXT,
    TRANSITIONS,
    Precondition,
    Transition,
    TrialAction,
    TrialState,
)
from trials.models import Case, CasePurpose, Item, Membership, Reading, Slot, Trial
from trials.selectors.access import Caller, permissions_in, trial_roles
from trials.selectors.allocation import stratifies_by_reference
from trials.selectors.bundle import bundle_is_current, imported_bundle, imported_document
from trials.selectors.cases import pixels_are_reviewed
from trials.selectors.external import external_lacking
from trials.selectors.protocol import protocol_current
from trials.selectors.quality import cases_are_accepted
from trials.selectors.reading import ANSWERED
from trials.selectors.rehearsal import rehearsal_lacking
from trials.selectors.review import undecided

ACTION_LABELS = {
    TrialAction.LOCK: "Protocol lock",
    TrialAction.OPEN: "Open for readers",
    TrialAction.PAUSE: "Pause",
    TrialAction.RESUME: "Resume",
    TrialAction.CLOSE: "Close",
    TrialAction.DATA_LOCK: "Data lock",
    TrialAction.UNBLIND: "Unblind",
    TrialAction.ARCHIVE: "Archive",
    TrialAction.ABANDON: "Abandon",
}
PRIMARY_ACTION = {
    TrialState.DRAFT: TrialAction.LOCK,
    TrialState.LOCKED: TrialAction.OPEN,
    TrialState.OPEN: TrialAction.CLOSE,
    TrialState.PAUSED: TrialAction.RESUME,
    TrialState.CLOSED: TrialAction.DATA_LOCK,
    TrialState.DATA_LOCKED: TrialAction.UNBLIND,
    TrialState.UNBLINDED: TrialAction.ARCHIVE,
}
_LINKS = {
    Precondition.PROTOCOL_COMPLETE: "protocol",
    Precondition.ITEMS_DRAWN: "cases",
    Precondition.ITEMS_HAVE_BOTH_CANDIDATES: "cases",
    Precondition.PRACTICE_ITEMS_PRESENT: "cases",
    Precondition.PRACTICE_PATIENTS_SEPARATE: "cases",
    Precondition.CASES_ACCEPTED: "cases",
    Precondition.REFERENCES_PRESENT: "cases",
    Precondition.PIXELS_REVIEWED: "cases",
    Precondition.NO_READING_IS_OPEN: "monitor",
    Precondition.QUERIES_ANSWERED: "monitor",
    Precondition.DEVIATIONS_DECIDED: "monitor",
    Precondition.EXTERNAL_DATA_PRESENT: "analyses",
    Precondition.BUNDLE_STORED: "analyses",
}
"""Where in the administrator's area a missing fact is mended."""


def trial_list_for(caller: Caller) -> QuerySet[Trial]:
    """Return the trials in which the caller has a role other than reader's."""
    trials = Trial.objects.select_related("institute").order_by("-created_at")
    if isinstance(caller, ServiceToken):
        return trials.filter(id=caller.trial_id)
    held = Membership.objects.filter(account_id=caller.id, ended_at__isnull=True).exclude(role=Role.READER)
    return trials.filter(id__in=held.values("trial_id"))


def trial_counts(trial: Trial) -> dict[str, int]:
    """Return how many cases, items, participants and readings the trial has."""
    imported = imported_bundle(trial)
    if imported is not None:
        return dict(imported.counts)
    readings = (
        Reading.objects.filter(trial=trial)
        .exclude(phase="practice")
        .aggregate(total=Count("id"), submitted=Count("id", filter=Q(state__in=ANSWERED)))
    )
    return {
        "cases": trial.cases.filter(purpose=CasePurpose.TRIAL).count(),
        "items": trial.items.filter(practice=False).count(),
        "participants": trial.participants.count(),
        "readings_submitted": readings["submitted"],
        "readings_total": readings["total"],
    }


def unmet_preconditions(trial: Trial, transition: Transition) -> list[Precondition]:
    """Return the facts the transition needs and does not find."""
    return [one for one in transition.preconditions if not _HOLDS.get(one, _holds_always)(trial)]


def _holds_always(trial: Trial) -> bool:
    return trial.id is not None


def _protocol_complete(trial: Trial) -> bool:
    outcome = check_document(protocol_current(trial).document)
    return not outcome.problems and not outcome.lock_problems


def _items_drawn(trial: Trial) -> bool:
    return trial.items.filter(practice=False).exists()


def _candidates_there(trial: Trial) -> bool:
    """Say whether every item has the contours its task shows: both of a pair, the one under review."""
    protocol = check_document(protocol_current(trial).document).protocol
    task = protocol.task if protocol is not None else None
    if isinstance(task, PreferenceTask):
        lacking = Q(candidate_a=None) | Q(candidate_b=None)
        empty = Q(candidate_a__voxel_count=0) | Q(candidate_b__voxel_count=0)
        return not Item.objects.filter(lacking | empty, trial=trial).exists()
    if isinstance(task, ContourReviewTask):
        return all(
            Case.objects.filter(items__trial=trial).distinct().count()
            == Case.objects.filter(items__trial=trial, contours__source=one.source).distinct().count()
            for one in task.candidates
        )
    return True


def _practice_there(trial: Trial) -> bool:
    protocol = check_document(protocol_current(trial).document).protocol
    return protocol is not None and trial.items.filter(practice=True).count() >= protocol.practice.count


def _references_there(trial: Trial) -> bool:
    """Say whether every item's case has a reference standard where the allocation is stratified by it."""
    protocol = check_document(protocol_current(trial).document).protocol
    if protocol is None:
        return False
    if not stratifies_by_reference(protocol):
        return True
    return not trial.items.filter(practice=False, case__reference_standards=None).exists()


def _practice_separate(trial: Trial) -> bool:
    practice = trial.cases.filter(purpose=CasePurpose.PRACTICE)
    main = trial.cases.filter(purpose=CasePurpose.TRIAL)
    return not main.filter(
        Q(patient_key__in=practice.values("patient_key"))
        | Q(pixel_sha256__in=practice.values("pixel_sha256"))
    ).exists()


def _allocation_stored(trial: Trial) -> bool:
    return Slot.objects.filter(trial=trial).exists() and hasattr(trial, "sealed_seed")


def _no_reading_open(trial: Trial) -> bool:
    return not Reading.objects.filter(trial=trial, state="open").exists()


def _queries_answered(trial: Trial) -> bool:
    return not undecided(trial, ReviewKind.QUERY)


def _deviations_decided(trial: Trial) -> bool:
    return not undecided(trial, ReviewKind.DEVIATION)


def _external_data_there(trial: Trial) -> bool:
    return not external_lacking(trial)


def _snapshot_stored(trial: Trial) -> bool:
    return bool(trial.data_sha256)


_HOLDS = {
    Precondition.PROTOCOL_COMPLETE: _protocol_complete,
    Precondition.ITEMS_DRAWN: _items_drawn,
    Precondition.ITEMS_HAVE_BOTH_CANDIDATES: _candidates_there,
    Precondition.PRACTICE_ITEMS_PRESENT: _practice_there,
    Precondition.PRACTICE_PATIENTS_SEPARATE: _practice_separate,
    Precondition.CASES_ACCEPTED: cases_are_accepted,
    Precondition.REFERENCES_PRESENT: _references_there,
    Precondition.PIXELS_REVIEWED: pixels_are_reviewed,
    Precondition.ALLOCATION_STORED: _allocation_stored,
    Precondition.NO_READING_IS_OPEN: _no_reading_open,
    Precondition.QUERIES_ANSWERED: _queries_answered,
    Precondition.DEVIATIONS_DECIDED: _deviations_decided,
    Precondition.EXTERNAL_DATA_PRESENT: _external_data_there,
    Precondition.DATA_SNAPSHOT_STORED: _snapshot_stored,
    Precondition.BUNDLE_STORED: bundle_is_current,
}
"""How each fact is found. Facts without an entry are given by the signature on the act itself (a written waiver of the
rehearsal, the signed blind review) or concern records that this kind of trial does not have (reference standard)."""


def trial_actions(trial: Trial, caller: Caller) -> list[dict[str, Any]]:
    """Return every action of the trial's state that the caller's roles allow, with what is missing for each."""
    permissions = permissions_in(trial_roles(caller, trial))
    rows = []
    for transition in TRANSITIONS:
        if transition.source != trial.state or transition.permission not in permissions:
            continue
        unmet = unmet_preconditions(trial, transition)
        asks = Precondition.REHEARSED_OR_WAIVED in transition.preconditions
        lacking = rehearsal_lacking(trial) if asks else None
        rows.append(
            {
                "action": transition.action.value,
                "label": ACTION_LABELS[transition.action],
                "allowed": not unmet,
                "needs_password": transition.needs_password,
                "signs": signed.words if (signed := SIGNED_ACTIONS.get(transition.action)) else None,
                "needs_reason": transition.needs_reason,
                "needs_waiver": lacking is not None,
                "rehearsal_lacking": lacking,
                "missing": [
                    {
                        "code": one.value,
                        "message": PRECONDITION_TEXT[one],
                        "link": _LINKS.get(one, "overview"),
                    }
                    for one in unmet
                ],
            }
        )
    return rows


def trial_document(trial: Trial, caller: Caller) -> dict[str, Any]:
    """Return the trial as its overview shows it."""
    roles = trial_roles(caller, trial)
    version = protocol_current(trial)
    sealed = getattr(trial, "sealed_seed", None)
    primary = PRIMARY_ACTION.get(TrialState(trial.state))
    actions = trial_actions(trial, caller)
    return {
        "id": trial.id,
        "slug": trial.slug,
        "title": trial.title,
        "state": trial.state,
        "roles": sorted(role.value for role in roles),
        "permissions": sorted(one.value for one in permissions_in(roles)),
        "open_to": acts_open(trial.state),
        "protocol_version": version.version,
        "protocol_sha256": version.sha256 or None,
        "seed_commitment": sealed.commitment_sha256 if sealed is not None else None,
        "actions": actions,
        "primary_action": primary.value if primary and any(a["action"] == primary for a in actions) else None,
        "counts": trial_counts(trial),
        "created_at": trial.created_at,
        "imported": imported_document(imported_bundle(trial)),
    }
