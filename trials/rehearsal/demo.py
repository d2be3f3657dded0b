"""The demonstration site: phantom patients, a trial to read in, and a trial that simulated readers have finished."""

import json
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from equipoise.accounts.models import Account, Institute
from equipoise.accounts.services import account_create, institute_create
from equipoise.audit.kinds import Origin
from equipoise.common.permissions import Role
from equipoise.jobs.inline import job_run_inline
from equipoise.simulation import PreferencePopulation, stream
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.results import ResultTask
from trials.domain.states import TrialAction
from trials.models import CasePurpose, Trial
from trials.rehearsal.demo_tasks import DemoPeople, task_trials
from trials.rehearsal.phantoms import RULES, write_phantom_patient
from trials.rehearsal.readers.preference import SimulatedPreference
from trials.rehearsal.simulated_reading import simulated_enrolment, simulated_readings
from trials.selectors.templates import template
from trials.selectors.weights import KnownWeights, runtime_missing, shipped_weights
from trials.services.acts import Actor
from trials.services.algorithm import algorithm_enrol, algorithm_run
from trials.services.analysis import analysis_request
from trials.services.ingest import trial_ingest_folder
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.rehearsal import rehearsal_request
from trials.services.trial import trial_create, trial_transition

SEED = 20260301
INSTITUTE = "Demonstration hospital"
OPEN_SLUG, FINISHED_SLUG = "contours-to-read", "contours-finished"
PRACTICE_CASES = 2
FINISHED_CASES = 16
OPEN_CASES = 8
FEW_CASES = 4
"""Of those, which the trials of whole volumes take."""
SPECIALITIES = (
    *("radiation_oncology",) * 3,
    *("radiology",) * 4,
    *("other_medical",) * 3,
    *("medical_student",) * 4,
    *("computer_science",) * 4,
)
"""Of the simulated readers of the finished trial."""
POPULATION = PreferencePopulation(mean_logit=0.2, reader_sd=0.35, case_sd=0.5, item_sd=0.3)
"""What the finished trial's readers are drawn from: a slight preference for the algorithm."""
MODEL_SOURCE = "shipped-model"
"""Under which the protocol of the finished trial names the model that ships with the package."""
WAIVER = "Its readers are simulated themselves: the trial is its own rehearsal."

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoAccount:
    """Somebody who can sign in to the demonstration."""

    email: str
    password: str
    what: str


def accounts_file() -> Path:
    """Return where the demonstration's accounts are noted, readable by its owner alone."""
    folder: Path = settings.DATA_DIR
    return folder / "demo-accounts.json"


def demo_accounts() -> list[DemoAccount]:
    """Return the accounts of a demonstration that was built before; none if there is none."""
    file = accounts_file()
    if not file.is_file():
        return []
    return [DemoAccount(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def demo_build(*, say: Say) -> list[DemoAccount]:
    """Build the demonstration, once; a site that has one is left as it is."""
    known = demo_accounts()
    if known and Trial.objects.filter(slug=FINISHED_SLUG, state="unblinded").exists():
        return known
    if Account.objects.exists():
        raise FileExistsError(
            f"The site in {settings.DATA_DIR} has accounts already; a demonstration wants a folder of its own "
            "(EQUIPOISE_DATA_DIR)."
        )
    builder = _Demo(say)
    builder.people()
    with tempfile.TemporaryDirectory() as folder:
        builder.phantoms(Path(folder))
        builder.trial_to_read(Path(folder))
        builder.further_trials(Path(folder))
        builder.finished_trial(Path(folder))
    return demo_accounts()


class _Demo:
    """Builds the demonstration step by step."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.institute: Institute
        self.administrator: Account
        self.statistician: Account
        self.readers: list[Account] = []

    @property
    def actor(self) -> Actor:
        return Actor(account_id=self.administrator.id, origin=Origin.CLI)

    def people(self) -> None:
        self.say("Making accounts")
        self.institute = institute_create(name=INSTITUTE, origin=Origin.CLI)
        plan = (
            ("admin@demo.example", "Trial administrator", "creates, watches and analyses trials", True),
            ("statistician@demo.example", "Unblinded statistician", "sees allocation and results", False),
            ("reader@demo.example", "Reader One", "reads in every trial that is open", False),
            ("reader2@demo.example", "Reader Two", "reads in every trial that is open", False),
        )
        noted, made = [], []
        for email, name, what, is_administrator in plan:
            password = secrets.token_urlsafe(9)
            made.append(
                account_create(
                    email=email,
                    password=password,
                    display_name=name,
                    institute=self.institute,
                    is_site_administrator=is_administrator,
                    origin=Origin.CLI,
                )
            )
            noted.append({"email": email, "password": password, "what": what})
        self.administrator, self.statistician, *self.readers = made
        file = accounts_file()
        file.touch(mode=0o600)
        file.write_text(json.dumps(noted, indent=1), encoding="utf-8")

    def phantoms(self, folder: Path) -> None:
        total = FINISHED_CASES + PRACTICE_CASES
        for number in range(total):
            self.say(f"Making phantom patients: {number + 1} of {total}")
            write_phantom_patient(folder / _part(number), number=number, seed=SEED)

    def further_trials(self, folder: Path) -> None:
        people = DemoPeople(
            self.institute, self.administrator, self.statistician, tuple(self.readers), self.actor
        )
        task_trials(people, folder, seed=SEED, say=self.say)

    def trial_to_read(self, folder: Path) -> None:
        trial = self._trial(
            OPEN_SLUG,
            "Lung tumour contours: which is better?",
            folder,
            items=OPEN_CASES,
            participants=8,
            per_case=1,
            check_pairs=3,
            repeats=1,
        )
        for account in self.readers:
            membership_create(trial, account, Role.READER, actor=self.actor)
        self._rehearse(trial)
        self._step(trial, TrialAction.LOCK)
        self._step(trial, TrialAction.OPEN)

    def finished_trial(self, folder: Path) -> None:
        trial = self._trial(
            FINISHED_SLUG,
            "Lung tumour contours: a finished trial",
            folder,
            items=2 * FINISHED_CASES,
            participants=len(SPECIALITIES),
            per_case=2,
            check_pairs=6,
            repeats=4,
            model=shipped_weights("nsclc") if runtime_missing() is None else None,
        )
        self._step(trial, TrialAction.LOCK, waiver=WAIVER)
        self._step(trial, TrialAction.OPEN)
        self._simulate(trial)
        for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
            self._step(trial, action)
        trial.refresh_from_db()
        for name in ("preference", "reading-time"):
            self.say(f"Running the analysis {name}")
            analysis = analysis_request(trial, name=name, options={}, external_table=None, actor=self.actor)
            if analysis.job_id is not None:
                job_run_inline(analysis.job_id)

    def _trial(
        self,
        slug: str,
        title: str,
        folder: Path,
        *,
        items: int,
        participants: int,
        per_case: int,
        check_pairs: int,
        repeats: int,
        model: KnownWeights | None = None,
    ) -> Trial:
        self.say(f"Making the trial {slug}")
        trial = trial_create(
            slug=slug,
            title=title,
            protocol_text=_protocol_text(
                title,
                items=items,
                participants=participants,
                per_case=per_case,
                check_pairs=check_pairs,
                repeats=repeats,
                model=model,
            ),
            institute=self.institute,
            creator=self.administrator,
            actor=self.actor,
        )
        membership_create(trial, self.statistician, Role.UNBLINDED_STATISTICIAN, actor=self.actor)
        for part, purpose in (("practice", CasePurpose.PRACTICE), ("trial", CasePurpose.TRIAL)):
            report = trial_ingest_folder(trial, folder / part, rules=RULES, purpose=purpose, actor=self.actor)
            if report.problems:
                raise RuntimeError(f"A phantom was refused: {report.problems[0]}")
        if model is not None:
            self._run_model(trial, model)
        items_draw(trial, actor=self.actor)
        return trial

    def _run_model(self, trial: Trial, model: KnownWeights) -> None:
        """Let the shipped model take part: a further participant beside the simulated algorithm of the pairs."""
        self.say(f"Running {model.card.name} on {trial.cases.count()} phantom patients")
        enrolled = algorithm_enrol(
            trial,
            source=MODEL_SOURCE,
            pipeline="nsclc",
            weights_sha256=model.card.sha256,
            actor=self.actor,
        )
        run = algorithm_run(trial, enrolled.participant, task=ResultTask.CONTOURING, actor=self.actor)
        if run.job_id is not None:
            job_run_inline(run.job_id)

    def _rehearse(self, trial: Trial) -> None:
        """Rehearse a trial as its administrator would before protocol lock."""
        self.say(f"Rehearsing the trial {trial.slug}")
        rehearsal = rehearsal_request(trial, seed=SEED, plan=RehearsalPlan(), actor=self.actor)
        if rehearsal.job_id is not None:
            job_run_inline(rehearsal.job_id)

    def _step(self, trial: Trial, action: TrialAction, *, waiver: str = "") -> None:
        moved = trial_transition(trial, action, reason="Demonstration", waiver=waiver, actor=self.actor)
        trial.state = moved.state

    def _simulate(self, trial: Trial) -> None:
        models = POPULATION.readers(stream(SEED, 1), len(SPECIALITIES))
        items = list(trial.items.filter(practice=False).select_related("case").order_by("code"))
        cases = np.unique([item.case.code for item in items], return_inverse=True)[1]
        effects = POPULATION.item_effects(stream(SEED, 2), cases.astype(np.intp))
        by_item = {item.code: float(effect) for item, effect in zip(items, effects, strict=True)}
        for number, (speciality, model) in enumerate(zip(SPECIALITIES, models, strict=True), start=1):
            self.say(f"Simulated readers: {number} of {len(SPECIALITIES)}")
            account = account_create(
                email=f"simulated-{number:02d}@demo.example", institute=self.institute, origin=Origin.CLI
            )
            membership = membership_create(trial, account, Role.READER, actor=self.actor)
            participant = membership.participant
            simulated_enrolment(participant, answers=_questionnaire(speciality, number))
            reader = SimulatedPreference(model=model, effects=by_item, seed=SEED, number=number)
            simulated_readings(participant, reader)


def _part(number: int) -> str:
    """Return the folder of a phantom patient: practice, the few of the volumes' trials, or the others."""
    if number < PRACTICE_CASES:
        return "practice/first" if number == 0 else "practice/others"
    return "trial/few" if number < PRACTICE_CASES + FEW_CASES else "trial/others"


def _questionnaire(speciality: str, number: int) -> dict[str, Any]:
    years = 0 if speciality in ("medical_student", "computer_science") else 1 + (number * 7) % 19
    return {
        "speciality": speciality,
        "experience_years": str(years),
        "contours_per_month": (number * 3) % 12,
        "display": "diagnostic",
    }


def _protocol_text(
    title: str,
    *,
    items: int,
    participants: int,
    per_case: int,
    check_pairs: int,
    repeats: int,
    model: KnownWeights | None,
) -> str:
    document = check_text(template("contour-preference").text).document
    if document is None:
        raise LookupError("The shipped protocol cannot be read.")
    document["title"] = title
    if model is not None:
        document["algorithms"].append(
            {
                "source": MODEL_SOURCE,
                "name": model.card.name,
                "version": model.card.version,
                "weights_sha256": model.card.sha256,
                "used_in_training": "no",
            }
        )
    words = document["consent"]["text"].replace("about 100 CT slices", f"{items} CT slices")
    document["consent"]["text"] = words.replace(
        "about 30 to 45 minutes", f"about {max(2, items // 3)} minutes"
    )
    document["items"]["selection"] |= {"count": items, "max_per_case_and_expert": per_case}
    document["practice"]["count"] = PRACTICE_CASES
    plan = document["allocation"]
    plan["strata"] = [{"key": "all", "label": "All readers", "participants": participants}]
    plan["hidden_repeats"] = {"count": repeats, "min_distance": 4}
    plan["blinding_check"]["pairs"] = check_pairs
    document["tasks"][0]["display"]["scroll"] = {"mode": "range", "slices": 2}
    return to_yaml(document)


def address_lines(accounts: Sequence[DemoAccount], url: str) -> list[str]:
    """Return what is printed when the demonstration is ready."""
    lines = [f"The demonstration is ready: {url}", ""]
    lines += [f"  {one.email:28} {one.password:14} {one.what}" for one in accounts]
    return lines
