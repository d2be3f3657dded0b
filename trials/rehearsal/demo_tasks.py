"""Further trials of the demonstration, one or two per reading task, open to be read by whoever signs in.

A simulated reader has read each to its end, so that the administrator's pages have something to show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.accounts.models import Account, Institute
from equipoise.accounts.services import account_create
from equipoise.audit.kinds import Origin
from equipoise.common.permissions import Role
from equipoise.jobs.inline import job_run_inline
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.results import ResultTask
from trials.domain.states import TrialAction
from trials.models import CasePurpose, Trial
from trials.rehearsal.phantoms import RULES, write_phantom_bone_scan, write_phantom_glioma
from trials.rehearsal.readers.crew import simulated_questionnaire, simulated_reader
from trials.rehearsal.simulated_reading import simulated_enrolment, simulated_readings
from trials.selectors.templates import template
from trials.selectors.weights import KnownWeights, runtime_missing, shipped_weights
from trials.services.acts import Actor
from trials.services.algorithm import algorithm_enrol, algorithm_run
from trials.services.ingest import case_pixels_reviewed, trial_ingest_folder, trial_policy
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.reference import references_import
from trials.services.trial import trial_create, trial_transition

SCANS, PRACTICE_SCANS = 10, 2
GLIOMAS = 6
WAIVER = "A demonstration to read in."
BONE_SCAN_TRIALS = {
    "bone-scan-mrmc": ("bone-scans-two-periods", "Bone scans with and without AI"),
    "bone-scan-sequential": ("bone-scans-second-look", "Bone scans, AI as a second look"),
}
"""Template -> short name and title."""
BRAIN_TRIALS = {
    "saliency-survey": ("saliency-maps-to-judge", "What saliency maps of an IDH model show", "surveys"),
    "vasari-features": ("gliomas-to-describe", "Describing gliomas by VASARI", "series"),
}
"""Template -> short name, title, and the folder of its images."""
VOLUME_TRIALS = {
    "contouring-variability": ("contouring-to-do", "Outlining lung tumours"),
    "contour-review": ("contours-to-review", "Reviewing contours of lung tumours"),
    "case-labelling": ("labels-to-give", "Labelling lung tumours"),
}


@dataclass(frozen=True)
class DemoPeople:
    """Whose the trials are and who reads in them."""

    institute: Institute
    administrator: Account
    statistician: Account
    readers: tuple[Account, ...]
    actor: Actor


def task_trials(people: DemoPeople, folder: Path, *, seed: int, say: Callable[[str], None]) -> list[str]:
    """Make and open one trial per further task; return their short names.

    ``folder`` holds the phantom patients under ``practice`` and ``trial/few``.
    """
    positive = _bone_scans(folder, seed=seed, say=say)
    model = shipped_weights("bone-scan") if runtime_missing() is None else None
    for name, (slug, title) in BONE_SCAN_TRIALS.items():
        say(f"Making the trial {slug}")
        trial = _trial(people, slug, title, _bone_scan_protocol(name, title, model))
        for part, purpose in (("scans-practice", CasePurpose.PRACTICE), ("scans", CasePurpose.TRIAL)):
            _ingest(trial, folder / part, purpose, people.actor, rules=False)
        _look_at(trial, people.actor)
        references_import(trial, content=_reference_table(trial, positive), actor=people.actor)
        if model is not None:
            _run(trial, model, people.actor)
        _open(trial, people)
        _simulate(trial, people, seed=seed)
    for name, (slug, title) in VOLUME_TRIALS.items():
        say(f"Making the trial {slug}")
        trial = _trial(people, slug, title, _volume_protocol(name, title))
        if name != "case-labelling":
            _ingest(trial, folder / "practice" / "first", CasePurpose.PRACTICE, people.actor)
        _ingest(trial, folder / "trial" / "few", CasePurpose.TRIAL, people.actor)
        _open(trial, people)
        _simulate(trial, people, seed=seed)
    for number in range(GLIOMAS):
        say(f"Making heads with a glioma: {number + 1} of {GLIOMAS}")
        write_phantom_glioma(folder / "gliomas", number=number, seed=seed)
    for name, (slug, title, images) in BRAIN_TRIALS.items():
        say(f"Making the trial {slug}")
        trial = _trial(people, slug, title, _form_protocol(name, title))
        _ingest(trial, folder / "gliomas" / images, CasePurpose.TRIAL, people.actor, rules=False)
        _look_at(trial, people.actor)
        _open(trial, people)
        _simulate(trial, people, seed=seed)
    return [
        slug for slug, *_ in (*BONE_SCAN_TRIALS.values(), *VOLUME_TRIALS.values(), *BRAIN_TRIALS.values())
    ]


def _bone_scans(folder: Path, *, seed: int, say: Callable[[str], None]) -> dict[str, bool]:
    """Write the scans; return patient's code -> whether there are metastases."""
    positive = {}
    total = SCANS + PRACTICE_SCANS
    for number in range(total):
        say(f"Making bone scans: {number + 1} of {total}")
        part = "scans-practice" if number < PRACTICE_SCANS else "scans"
        code, shows = write_phantom_bone_scan(folder / part, number=number, seed=seed)
        positive[code] = shows
    return positive


def _trial(people: DemoPeople, slug: str, title: str, protocol_text: str) -> Trial:
    trial = trial_create(
        slug=slug,
        title=title,
        protocol_text=protocol_text,
        institute=people.institute,
        creator=people.administrator,
        actor=people.actor,
    )
    membership_create(trial, people.statistician, Role.UNBLINDED_STATISTICIAN, actor=people.actor)
    return trial


def _ingest(trial: Trial, folder: Path, purpose: CasePurpose, actor: Actor, *, rules: bool = True) -> None:
    report = trial_ingest_folder(trial, folder, rules=RULES if rules else (), purpose=purpose, actor=actor)
    if report.problems:
        raise RuntimeError(f"A phantom was refused: {report.problems[0]}")


def _look_at(trial: Trial, actor: Actor) -> None:
    """Take down the flags of images in which there might be writing."""
    for case in trial.cases.all():
        if case.flags:
            case_pixels_reviewed(case, actor=actor, reason="Simulated: nobody's name is in it.")


def _reference_table(trial: Trial, positive: Mapping[str, bool]) -> bytes:
    """Return what was simulated as the reference standard of the trial's cases."""
    policy = trial_policy(trial)
    codes = dict(trial.cases.values_list("patient_key", "code"))
    lines = ["case,truth,status,source,date,labellers"]
    lines += [
        f"{codes[policy.patient_key(patient)]},{int(shows)},final,Simulation,2026-03-01,simulator"
        for patient, shows in positive.items()
    ]
    return "\n".join([*lines, ""]).encode()


def _run(trial: Trial, model: KnownWeights, actor: Actor) -> None:
    source = "bone-scan-ai"
    enrolled = algorithm_enrol(
        trial, source=source, pipeline="bone-scan", weights_sha256=model.card.sha256, actor=actor
    )
    run = algorithm_run(trial, enrolled.participant, task=ResultTask.CLASSIFICATION, actor=actor)
    if run.job_id is not None:
        job_run_inline(run.job_id)


def _open(trial: Trial, people: DemoPeople) -> None:
    items_draw(trial, actor=people.actor)
    for account in people.readers:
        membership_create(trial, account, Role.READER, actor=people.actor)
    for action in (TrialAction.LOCK, TrialAction.OPEN):
        waiver = WAIVER if action == TrialAction.LOCK else ""
        moved = trial_transition(trial, action, reason="Demonstration", waiver=waiver, actor=people.actor)
        trial.state = moved.state


def _simulate(trial: Trial, people: DemoPeople, *, seed: int) -> None:
    """Let one simulated reader read the trial to its end."""
    account = account_create(
        email=f"simulated-{trial.slug}@demo.example", institute=people.institute, origin=Origin.CLI
    )
    participant = membership_create(trial, account, Role.READER, actor=people.actor).participant
    simulated_enrolment(participant, answers=simulated_questionnaire(trial, number=1, seed=seed))
    simulated_readings(participant, simulated_reader(trial, number=1, seed=seed))


def _document(name: str, title: str) -> dict[str, Any]:
    document = check_text(template(name).text).document
    if document is None:
        raise LookupError(f"The shipped protocol {name} cannot be read.")
    document["title"] = title
    return document


def _bone_scan_protocol(name: str, title: str, model: KnownWeights | None) -> str:
    document = _document(name, title)
    document["practice"]["count"] = PRACTICE_SCANS
    # A few dots of a simulated scan can look like writing: the images are looked at, as a data manager would.
    document["deidentification"] = {"burned_in": "review"}
    if model is not None:
        algorithm = document["algorithms"][0]
        algorithm.pop("weights_unknown_because")
        algorithm |= {
            "name": model.card.name,
            "version": model.card.version,
            "weights_sha256": model.card.sha256,
            "operating_threshold": str(model.card.threshold),
        }
    return to_yaml(document)


def _form_protocol(name: str, title: str) -> str:
    document = _document(name, title)
    document["deidentification"] = {"burned_in": "review"}
    return to_yaml(document)


def _volume_protocol(name: str, title: str) -> str:
    document = _document(name, title)
    if name == "case-labelling":
        document["allocation"]["strata"][0]["participants"] = 3
    if name == "contouring-variability":
        document["allocation"]["hidden_repeats"] = {"count": 1, "min_distance": 2}
    return to_yaml(document)
