"""Trials for tests, made by services: phantom cases with two contours each, drawn, locked, open, read."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from equipoise.accounts.models import Account
from equipoise.archive.services import patient_store
from equipoise.audit.kinds import Origin
from equipoise.common.permissions import Role
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription
from tests.factories.accounts import AccountFactory
from trials.domain.codes import case_code
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.states import TrialAction
from trials.models import Case, CaseImage, CasePurpose, Contour, Participant, Trial
from trials.selectors.templates import template
from trials.services.acts import Actor
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.participant import (
    participant_answer_questionnaire,
    participant_consent,
    participant_read_instructions,
)
from trials.services.reading import EventIn, Opened, Submitted, reading_open, reading_submit
from trials.services.trial import trial_create, trial_transition

SHAPE = (12, 48, 48)
SPACING_MM = (3.0, 1.0, 1.0)
REASON = "as planned"
ENVIRONMENT = {
    "window_width_px": 1280,
    "window_height_px": 800,
    "screen_width_px": 1280,
    "screen_height_px": 1024,
    "colour_depth_bits": 24,
    "device_pixel_ratio": 1,
    "zoom_percent": 100,
    "renderer": "none",
    "display": "1280x1024+0+0/24",
}
"""What a browser says of itself when it opens a reading."""


def protocol_document(**changes: Any) -> dict[str, Any]:
    """Return the shipped protocol with a few items only; ``changes`` are by dotted path."""
    document = check_text(template("contour-preference").text).document
    assert document is not None
    small = {
        "items.selection.count": 6,
        "practice.count": 1,
        "allocation.strata": [{"key": "all", "label": "All readers", "participants": 3}],
        "allocation.hidden_repeats": {"count": 1, "min_distance": 2},
        "allocation.blinding_check.pairs": 2,
    }
    for path, value in {**small, **changes}.items():
        holder: Any = document
        *parents, last = path.split(".")
        for name in parents:
            holder = holder[int(name)] if isinstance(holder, list) else holder.setdefault(name, {})
        if isinstance(holder, list):
            holder[int(last)] = value
        else:
            holder[last] = value
    return document


def phantom_case(
    trial: Trial,
    *,
    number: int,
    purpose: str = CasePurpose.TRIAL,
    seed: int = 0,
    sources: tuple[str, str] = ("expert", "algorithm"),
) -> Case:
    """Store a small volume with a ball-shaped tumour and two contours of it; return its case."""
    rng = np.random.default_rng([seed, number])
    z, y, x = np.indices(SHAPE)
    centre = np.array([6.0, 24.0, 24.0]) + rng.uniform(-2, 2, 3)
    distance = np.sqrt(((z - centre[0]) * 3) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    hu = np.where(distance < 9, 30, -800) + rng.normal(0, 20, SHAPE)
    grid = Grid(SHAPE, SPACING_MM, (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    radii_mm = (9.0, 10.0 + 0.4 * (number % 3))
    masks = {source: Mask(distance < radius, grid) for source, radius in zip(sources, radii_mm, strict=True)}
    stored = patient_store(
        ImageVolume(array=hu.astype(np.int16), grid=grid),
        masks,
        trial_id=trial.id,
        institute_id=trial.institute_id,
        patient_key=f"{number:064x}",
    )
    case = Case.objects.create(
        trial=trial,
        code=case_code(trial.cases.count() + 1),
        purpose=purpose,
        patient_key=f"{number:064x}",
        pixel_sha256=stored.volume.pixel_hash,
        created_at=trial.created_at,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    for source, mask in stored.masks.items():
        Contour.objects.create(
            case=case, source=source, mask=mask, voxel_count=mask.voxel_count, created_at=trial.created_at
        )
    return case


PLANAR_SHAPE = (2, 40, 20)
"""Views, rows and columns of a phantom bone scan."""


def phantom_scan(trial: Trial, *, number: int, purpose: str = CasePurpose.TRIAL) -> Case:
    """Store a small planar bone scan, anterior and posterior; return its case."""
    counts = np.random.default_rng([9, number]).poisson(20, PLANAR_SHAPE).astype(np.int16)
    image = ImageVolume(
        array=counts,
        grid=Grid(PLANAR_SHAPE, (1.0, 2.4, 2.4)),
        modality="NM",
        windows=(),
        description=SeriesDescription(views=("anterior", "posterior")),
    )
    key = f"{7000 + number:064x}"
    stored = patient_store(image, {}, trial_id=trial.id, institute_id=trial.institute_id, patient_key=key)
    case = Case.objects.create(
        trial=trial,
        code=case_code(trial.cases.count() + 1),
        purpose=purpose,
        patient_key=key,
        pixel_sha256=stored.volume.pixel_hash,
        created_at=trial.created_at,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    return case


@dataclass
class PreferenceWorld:
    """A preference trial and the people in it."""

    trial: Trial
    administrator: Account
    statistician: Account
    readers: list[Participant] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        """The administrator as an actor."""
        return Actor(account_id=self.administrator.id, origin=Origin.WEB)

    def act(self, action: TrialAction) -> Trial:
        """Take a step of the trial's life."""
        waiver = "A test needs no rehearsal." if action == TrialAction.LOCK else ""
        self.trial = trial_transition(self.trial, action, reason=REASON, waiver=waiver, actor=self.actor)
        return self.trial

    speciality: ClassVar[str] = "radiology"
    """Of a reader, where none is named."""
    reads_each_month: ClassVar[Mapping[str, int]] = {"contours_per_month": 3}
    """The answer to the questionnaire's question of how much one reads."""

    def enrol(self, *, speciality: str | None = None, years: float = 4) -> Participant:
        """Make a reader who has consented, answered and read the instructions."""
        account = AccountFactory.create(institute=self.trial.institute)
        membership = membership_create(self.trial, account, Role.READER, actor=self.actor)
        participant: Participant = membership.participant
        actor = Actor(account_id=account.id)
        participant_consent(participant, version="1", agreed=True, actor=actor)
        answers = {
            "speciality": speciality or self.speciality,
            "experience_years": str(years),
            **self.reads_each_month,
            "display": "diagnostic",
        }
        participant_answer_questionnaire(participant, answers=answers, actor=actor)
        participant_read_instructions(participant, actor=actor)
        participant.refresh_from_db()
        self.readers.append(participant)
        return participant


def preference_world(
    *,
    slug: str = "contours",
    cases: int = 6,
    practice: int = 1,
    sources: tuple[str, str] = ("expert", "algorithm"),
    **changes: Any,
) -> PreferenceWorld:
    """Return a draft trial with phantom cases and drawn items."""
    changes |= {
        "tasks.0.candidates.a.source": sources[0],
        "tasks.0.candidates.b.source": sources[1],
        "algorithms.0.source": sources[1],
    }
    administrator = AccountFactory.create()
    assert administrator.institute is not None
    trial = trial_create(
        slug=slug,
        title="Contours",
        protocol_text=to_yaml(protocol_document(**changes)),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    statistician = AccountFactory.create(institute=administrator.institute)
    world = PreferenceWorld(trial=trial, administrator=administrator, statistician=statistician)
    membership_create(trial, statistician, Role.UNBLINDED_STATISTICIAN, actor=world.actor)
    for number in range(cases):
        phantom_case(trial, number=number, sources=sources)
    for number in range(practice):
        phantom_case(trial, number=1000 + number, purpose=CasePurpose.PRACTICE, sources=sources)
    items_draw(trial, actor=world.actor)
    return world


def open_world(**options: Any) -> PreferenceWorld:
    """Return a trial that is locked and open for readers."""
    world = preference_world(**options)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def account_of(participant: Participant) -> Account:
    """Return the account behind a reader."""
    assert participant.membership is not None
    return participant.membership.account


def events_of(
    *, seconds: float, choice: str, clock_id: str = "page-1", first_sequence: int = 0
) -> list[EventIn]:
    """Return the events of a reading answered after so many seconds."""
    start_ms, wall_ms = 1000.0, time.time() * 1000
    steps = [
        ("first_paint", 0.0, {}),
        ("pointer", seconds * 500, {}),
        ("answer_change", seconds * 900, {"choice": choice}),
        ("submit", seconds * 1000, {}),
    ]
    return [
        EventIn(
            sequence=first_sequence + index,
            kind=kind,
            clock_id=clock_id,
            t_ms=start_ms + offset_ms,
            wall_ms=wall_ms + offset_ms,
            data=data,
        )
        for index, (kind, offset_ms, data) in enumerate(steps)
    ]


def open_reading(participant: Participant, *, session_key: str = "session-a") -> Opened:
    """Open the participant's current reading."""
    return reading_open(
        participant,
        environment=ENVIRONMENT,
        session_key=session_key,
        actor=Actor(account_id=account_of(participant).id),
    )


def answer(
    participant: Participant,
    opened: Opened,
    *,
    choice: str = "left",
    seconds: float = 5.0,
    key: uuid.UUID | None = None,
    reason_code: str | None = None,
    comment: str = "",
) -> Submitted:
    """Submit an answer to an opened reading."""
    return reading_submit(
        participant,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=key or uuid.uuid4(),
        answer={"choice": choice, "reason_code": reason_code, "comment": comment},
        events=events_of(seconds=seconds, choice=choice),
        actor=Actor(account_id=account_of(participant).id),
    )


def read_everything(participant: Participant, *, choose: Any = None) -> int:
    """Read until nothing is left; ``choose`` gives the choice for an opened reading. Returns how many."""
    count = 0
    while participant.readings.filter(state__in=["planned", "open"]).exists():
        opened = open_reading(participant)
        choice = choose(opened.reading) if choose is not None else ("left" if count % 2 else "right")
        answer(participant, opened, choice=choice)
        count += 1
    return count
