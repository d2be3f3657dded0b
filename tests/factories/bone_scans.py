"""Trials of planar scans for tests: small two-view images with a hot spot where there is disease."""

import uuid
from typing import Any

import numpy as np

from equipoise.archive.services import patient_store
from equipoise.common.permissions import Role
from equipoise.imaging.geometry import Grid
from equipoise.imaging.volume import ImageVolume, SeriesDescription, default_windows
from tests.factories.accounts import AccountFactory
from tests.factories.trials import ENVIRONMENT, PreferenceWorld, account_of, events_of
from trials.domain.codes import case_code
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.results import Failure, HeatMapIn, ModelVersion, ResultIn, ResultTask, RunTime
from trials.domain.states import TrialAction
from trials.models import Case, CaseImage, CasePurpose, Participant, Trial
from trials.selectors.templates import template
from trials.services.acts import Actor
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.reading import Opened, Submitted, reading_open, reading_submit
from trials.services.reference import references_import
from trials.services.results import Sent, results_receive
from trials.services.trial import trial_create

VIEWS = ("anterior", "posterior")
SHAPE = (2, 64, 32)
AI = "bone-scan-ai"


def scan_array(*, number: int, diseased: bool, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return counts: a body, noise, and a hot spot where there is disease."""
    rng = np.random.default_rng([77, number])
    _, rows, columns = shape
    y, x = np.indices((rows, columns))
    body = ((y - rows / 2) / (0.48 * rows)) ** 2 + ((x - columns / 2) / (0.3 * columns)) ** 2 < 1
    counts = rng.poisson(np.where(body, 20, 1), shape)
    if diseased:
        spot = (y - rows * rng.uniform(0.3, 0.6)) ** 2 + (x - columns * rng.uniform(0.4, 0.6)) ** 2 < 6
        counts += rng.poisson(np.where(spot, 60, 0), shape)
    return counts.astype(np.int16)


def scan_case(
    trial: Trial,
    *,
    number: int,
    diseased: bool,
    purpose: str = CasePurpose.TRIAL,
    array: np.ndarray | None = None,
) -> Case:
    """Store a two-view scan and return its case."""
    values = array if array is not None else scan_array(number=number, diseased=diseased)
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    volume = ImageVolume(
        array=values,
        grid=Grid(values.shape, (1.0, 2.0, 2.0), (0.0, 0.0, 0.0), identity),
        modality="NM",
        windows=default_windows(values, modality="NM"),
        description=SeriesDescription(views=VIEWS[: values.shape[0]]),
    )
    stored = patient_store(
        volume, {}, trial_id=trial.id, institute_id=trial.institute_id, patient_key=f"{number:064x}"
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
    return case


class BoneScanWorld(PreferenceWorld):
    """A trial of bone scans and the people in it."""

    speciality = "nuclear_medicine"
    reads_each_month = {"scans_per_month": 30}


def bone_scan_document(name: str = "bone-scan-mrmc", **changes: Any) -> dict[str, Any]:
    """Return a shipped protocol for a few cases; ``changes`` are by dotted path."""
    document = check_text(template(name).text).document
    assert document is not None
    small = {
        "practice.count": 2,
        "allocation.strata": [{"key": "all", "label": "All readers", "participants": 3}],
        "allocation.min_case_distance": 1,
    }
    for path, value in {**small, **changes}.items():
        holder: Any = document
        *parents, last = path.split(".")
        for part in parents:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        if isinstance(holder, list):
            holder[int(last)] = value
        else:
            holder[last] = value
    return document


def truth_csv(trial: Trial, diseased: dict[str, bool]) -> bytes:
    """Return the reference standard of cases as a table."""
    lines = ["case,truth,status,source,date,labellers,site"]
    lines += [
        f"{code},{int(value)},final,Follow-up of two years,2026-01-31,L1 and L2,{'AB'[number % 2]}"
        for number, (code, value) in enumerate(sorted(diseased.items()))
    ]
    return ("\n".join(lines) + "\n").encode()


def bone_scan_world(
    *,
    name: str = "bone-scan-mrmc",
    slug: str = "bones",
    cases: int = 6,
    practice: int = 2,
    shape: tuple[int, int, int] = SHAPE,
    **changes: Any,
) -> BoneScanWorld:
    """Return a draft trial with scans, their reference standard, and drawn items. Every other case is diseased."""
    administrator = AccountFactory.create()
    assert administrator.institute is not None
    trial = trial_create(
        slug=slug,
        title="Bone scans",
        protocol_text=to_yaml(bone_scan_document(name, **{"practice.count": practice, **changes})),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    statistician = AccountFactory.create(institute=administrator.institute)
    world = BoneScanWorld(trial=trial, administrator=administrator, statistician=statistician)
    membership_create(trial, statistician, Role.UNBLINDED_STATISTICIAN, actor=world.actor)
    diseased = {}
    for number in range(cases + practice):
        purpose = CasePurpose.TRIAL if number < cases else CasePurpose.PRACTICE
        array = scan_array(number=number, diseased=number % 2 == 1, shape=shape)
        case = scan_case(trial, number=number, diseased=number % 2 == 1, purpose=purpose, array=array)
        diseased[case.code] = number % 2 == 1
    references_import(trial, content=truth_csv(trial, diseased), actor=world.actor)
    items_draw(trial, actor=world.actor)
    return world


def open_world(**options: Any) -> BoneScanWorld:
    """Return a trial that is locked and open for readers."""
    world = bone_scan_world(**options)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def open_reading(participant: Participant, *, session_key: str = "session-a") -> Opened:
    """Open the participant's current reading."""
    return reading_open(
        participant,
        environment=ENVIRONMENT,
        session_key=session_key,
        actor=Actor(account_id=account_of(participant).id),
    )


def rated(decision: int | None, rating: int | None, *, reason_code: str | None = None) -> dict[str, Any]:
    """Return an answer as the browser sends it."""
    return {
        "decision": decision,
        "rating": rating,
        "marks": [],
        "reason_code": reason_code,
        "comment": "",
    }


def answer(
    participant: Participant, opened: Opened, body: dict[str, Any], *, key: Any = None, seconds: float = 5.0
) -> Submitted:
    """Submit an answer to an opened reading."""
    return reading_submit(
        participant,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=key or uuid.uuid4(),
        answer=body,
        events=events_of(seconds=seconds, choice=""),
        actor=Actor(account_id=account_of(participant).id),
    )


def ai_result(
    world: BoneScanWorld,
    case: Case,
    *,
    probability: float | None = 0.8,
    levels: np.ndarray | None = None,
    failure: Failure | None = None,
    attempt: int = 1,
) -> None:
    """Store what the protocol's algorithm says of a case."""
    heat = None if levels is None else HeatMapIn(content=levels, method="Grad-CAM", layer="features")
    result = ResultIn(
        key=f"{case.code}" if attempt == 1 else f"{case.code}, attempt {attempt}",
        case=case.code,
        model=ModelVersion(name="Detection of bone metastases", version="1.0", weights_sha256="ab" * 32),
        task=ResultTask.CLASSIFICATION,
        attempt=attempt,
        probability=None if failure is not None else probability,
        heat_map=heat,
        failure=failure,
        run=RunTime(seconds=1.5),
    )
    [report] = results_receive(
        world.trial, [Sent(key=result.key, case=case.code, result=result)], actor=world.actor
    )
    assert report.outcome == "stored", report
