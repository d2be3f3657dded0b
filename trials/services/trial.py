"""A trial begins, and moves from state to state."""

import secrets
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.accounts.models import Account, Institute
from equipoise.accounts.signing import Signer
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import ValidationFailedError, VersionConflictError
from equipoise.common.permissions import Role
from trials.domain.protocol.document import check_text
from trials.domain.signatures import SIGNED_ACTIONS
from trials.domain.states import (
    Precondition,
    PreconditionsUnmetError,
    Transition,
    TransitionRefusedError,
    TrialAction,
    TrialState,
    transition_for,
)
from trials.models import Membership, ProtocolVersion, Reading, ReviewStep, StoredBundle, Trial
from trials.selectors.allocation import stored_allocation_sha256
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.rehearsal import rehearsal_lacking, rehearsal_leant_on
from trials.selectors.signatures import record_foreseen, record_to_sign
from trials.selectors.tables import is_as_frozen, snapshot_sha256
from trials.selectors.trial import unmet_preconditions
from trials.services.acts import MIN_REASON_CHARACTERS, Actor, record
from trials.services.items import items_are_as_drawn
from trials.services.lock import LockPreparation, lock_prepare, lock_store
from trials.services.participant import readings_end
from trials.services.signature import signature_add

_AUDIT_KINDS = {
    TrialAction.LOCK: AuditKind.TRIAL_LOCKED,
    TrialAction.OPEN: AuditKind.TRIAL_OPENED,
    TrialAction.PAUSE: AuditKind.TRIAL_PAUSED,
    TrialAction.RESUME: AuditKind.TRIAL_RESUMED,
    TrialAction.CLOSE: AuditKind.TRIAL_CLOSED,
    TrialAction.DATA_LOCK: AuditKind.TRIAL_DATA_LOCKED,
    TrialAction.UNBLIND: AuditKind.TRIAL_UNBLINDED,
    TrialAction.ARCHIVE: AuditKind.TRIAL_ARCHIVED,
    TrialAction.ABANDON: AuditKind.TRIAL_ABANDONED,
}
_STAMPS = {
    TrialAction.OPEN: "opened_at",
    TrialAction.CLOSE: "closed_at",
    TrialAction.DATA_LOCK: "data_locked_at",
    TrialAction.UNBLIND: "unblinded_at",
}


def trial_create(
    *,
    slug: str,
    title: str,
    protocol_text: str,
    institute: Institute,
    creator: Account,
    actor: Actor,
    copied_from: ProtocolVersion | None = None,
) -> Trial:
    """Begin a trial as a draft; whoever creates it administers it."""
    if Trial.objects.filter(slug=slug).exists():
        raise ValidationFailedError.of_fields(
            {"/slug": f"There is a trial with the short name {slug!r} already."}
        )
    outcome = check_text(protocol_text)
    now = timezone.now()
    with transaction.atomic():
        trial = Trial.objects.create(
            institute=institute,
            slug=slug,
            title=title,
            patient_key_secret=secrets.token_bytes(32),
            created_by=creator,
            created_at=now,
        )
        ProtocolVersion.objects.create(
            trial=trial, version=1, text=protocol_text, document=outcome.document or {}, updated_at=now
        )
        Membership.objects.create(trial=trial, account=creator, role=Role.ADMINISTRATOR, created_at=now)
        record(
            trial,
            AuditKind.TRIAL_CREATED,
            actor=actor,
            subject=f"trial:{trial.id}",
            after={
                "slug": slug,
                "state": TrialState.DRAFT,
                **(
                    {"copied_from": f"protocol:{copied_from.id}", "protocol_sha256": copied_from.sha256}
                    if copied_from is not None
                    else {}
                ),
            },
        )
    return trial


def trial_copy(
    version: ProtocolVersion, *, slug: str, title: str, institute: Institute, creator: Account, actor: Actor
) -> Trial:
    """Begin a trial as a draft with a version of another one's protocol, word for word.

    Nothing else is shared: an image belongs to one trial, patients are recognised within one trial only, and people,
    allocation and readings are a trial's own. Cases are read in anew.
    """
    return trial_create(
        slug=slug,
        title=title or version.trial.title,
        protocol_text=version.text,
        institute=institute,
        creator=creator,
        actor=actor,
        copied_from=version,
    )


def trial_transition(
    trial: Trial,
    action: TrialAction,
    *,
    reason: str,
    waiver: str,
    actor: Actor,
    signer: Signer | None = None,
    revision: int | None = None,
    seen_sha256: str = "",
) -> Trial:
    """Move the trial, or refuse naming everything that is missing.

    ``waiver`` says why the protocol is locked without a rehearsal of this version. The caller has checked the right
    and, where the table asks for it, the password. ``signer`` signs what the act freezes or releases. Protocol lock
    with a ``revision`` is refused where the draft is another one; data lock and unblinding with ``seen_sha256`` where
    what they freeze or release is not what had this hash (:func:`record_foreseen`).
    """
    transition = transition_for(TrialState(trial.state), action)
    _require_reason(transition, reason, waiver)
    waiver = waiver.strip()
    frozen_by = _FrozenBy.of(trial) if action == TrialAction.DATA_LOCK else None
    unmet = unmet_preconditions(trial, transition)
    words: dict[Precondition, str] = {}
    if Precondition.REHEARSED_OR_WAIVED in transition.preconditions and not waiver:
        lacking = rehearsal_lacking(trial)
        if lacking is not None:
            unmet.append(Precondition.REHEARSED_OR_WAIVED)
            words[Precondition.REHEARSED_OR_WAIVED] = lacking
    if unmet:
        raise PreconditionsUnmetError(transition.source, action, tuple(unmet), words=words)
    _require_frozen_as_stored(trial, transition)
    prepared = lock_prepare(trial) if action == TrialAction.LOCK else None
    if prepared is not None and revision not in (None, prepared.version.revision):
        raise VersionConflictError("The protocol was changed since you looked at it. Look at it again.")
    data_sha256 = snapshot_sha256(trial) if action == TrialAction.DATA_LOCK else trial.data_sha256
    _require_seen(trial, action, data_sha256, seen_sha256)
    with transaction.atomic():
        changes: dict[str, Any] = {"state": transition.target, "data_sha256": data_sha256}
        if action in _STAMPS:
            changes[_STAMPS[action]] = timezone.now()
        if not Trial.objects.filter(id=trial.id, state=transition.source).update(**changes):
            raise TransitionRefusedError(TrialState(Trial.objects.get(id=trial.id).state), action)
        if frozen_by is not None:
            frozen_by.require_same(trial)
        after: dict[str, object] = {"state": transition.target}
        if isinstance(prepared, LockPreparation):
            after |= lock_store(trial, prepared)
            after["rehearsals"] = rehearsal_leant_on(trial, prepared.sha256)
            if waiver:
                record(
                    trial,
                    AuditKind.PROTOCOL_WAIVED,
                    actor=actor,
                    subject=f"protocol:{prepared.version.id}",
                    after={"waived": "rehearsal", "protocol_sha256": prepared.sha256},
                    reason=waiver,
                )
        if action == TrialAction.DATA_LOCK:
            after["data_sha256"] = data_sha256
        if action == TrialAction.ARCHIVE:
            after["bundle_sha256"] = StoredBundle.objects.get(trial=trial).manifest_sha256
        if action in (TrialAction.CLOSE, TrialAction.ABANDON):
            after["readings_left_open"] = readings_end(
                Reading.objects.filter(trial=trial), reason=f"trial_{transition.target}"
            )
        record(
            trial,
            _AUDIT_KINDS[action],
            actor=actor,
            subject=f"trial:{trial.id}",
            before={"state": transition.source},
            after=after,
            reason="\n".join(
                part for part in (reason, f"Rehearsal waived: {waiver}" if waiver else "") if part
            ),
        )
        trial.refresh_from_db()
        if signer is not None and (found := record_to_sign(trial, SIGNED_ACTIONS[action])) is not None:
            signature_add(trial, found, signer=signer, actor=actor)
    return trial


@dataclass(frozen=True)
class _FrozenBy:
    """What decides whether and which data are frozen: read before it is looked at, held against what is there after."""

    protocol: int
    external: frozenset[tuple[str, int]]
    """Key and version of the imported tables that have a key."""
    review_acts: int
    """On queries and deviations; they are only ever added to."""

    @classmethod
    def of(cls, trial: Trial) -> "_FrozenBy":
        keyed = trial.external_tables.exclude(key="")
        return cls(
            protocol_locked(trial).version,
            frozenset(keyed.values_list("key", "version")),
            ReviewStep.objects.filter(record__trial=trial).count(),
        )

    def require_same(self, trial: Trial) -> None:
        """Refuse where one of them changed while the data were frozen."""
        now = _FrozenBy.of(trial)
        what = (
            "The protocol was amended"
            if now.protocol != self.protocol
            else "Externally collected data were imported"
            if now.external != self.external
            else "Queries or deviations were opened or decided"
            if now.review_acts != self.review_acts
            else None
        )
        if what is not None:
            raise VersionConflictError(f"{what} while the data were frozen. Repeat data lock.")


def _require_seen(trial: Trial, action: TrialAction, data_sha256: str, seen_sha256: str) -> None:
    """Refuse an act on data, or on an allocation, that are not what whoever acts has looked at."""
    if not seen_sha256:
        return
    is_data = action == TrialAction.DATA_LOCK
    now = data_sha256 if is_data else record_foreseen(trial, action).sha256
    if now != seen_sha256:
        what = "data were" if is_data else "allocation was"
        raise VersionConflictError(f"The {what} changed since you looked at what you sign. Look at it again.")


def _require_frozen_as_stored(trial: Trial, transition: Transition) -> None:
    """Refuse where what is stored is not what it should be: too much work for every look at the trial's page."""
    unmet = []
    if Precondition.ITEMS_DRAWN in transition.preconditions and not items_are_as_drawn(trial):
        unmet.append(Precondition.ITEMS_DRAWN)
    if Precondition.ALLOCATION_STORED in transition.preconditions:
        stored = stored_allocation_sha256(trial, protocol_of_version(protocol_locked(trial)))
        if stored != trial.sealed_seed.allocation_sha256:
            unmet.append(Precondition.ALLOCATION_STORED)
    needs_snapshot = Precondition.DATA_SNAPSHOT_STORED in transition.preconditions
    if needs_snapshot and not is_as_frozen(trial):
        unmet.append(Precondition.DATA_SNAPSHOT_STORED)
    if unmet:
        raise PreconditionsUnmetError(transition.source, transition.action, tuple(unmet))


def _require_reason(transition: Transition, reason: str, waiver: str) -> None:
    if transition.needs_reason and len(reason.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields(
            {"/reason": f"Say why: the action {transition.action} is recorded with its reason."}
        )
    if waiver and Precondition.REHEARSED_OR_WAIVED not in transition.preconditions:
        raise ValidationFailedError.of_fields({"/waiver": "A waiver goes with protocol lock only."})
    if waiver and len(waiver.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields(
            {
                "/waiver": "Say why this version is locked without a rehearsal: the waiver is kept in the audit trail."
            }
        )
