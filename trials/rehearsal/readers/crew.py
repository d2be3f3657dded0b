"""Simulated readers for any trial: who they are, how they read, and that they differ from one another as people do.

What they are set to is a :class:`~trials.domain.rehearsal.RehearsalPlan`; by default skill is uniform from 0.6 to 0.95,
bias normal around none, speed log-normal around average (a quarter more or less), fatigue about 5 % more time per 100
readings. Readers of scans have areas under the curve of 0.80 without and 0.88 with an aid; readers of pairs choose by
one population's model of readers, cases and items.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equipoise.simulation import (
    ContouringReader,
    ContourReviewReader,
    FormReader,
    RatingPopulation,
    stream,
)
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import RehearsalPlan
from trials.models import Trial
from trials.rehearsal.populations import preference_population, rating_model
from trials.rehearsal.readers.answers import SimulatedReader
from trials.rehearsal.readers.classification import SimulatedClassification
from trials.rehearsal.readers.contour_review import SimulatedReview
from trials.rehearsal.readers.contouring import SimulatedContouring
from trials.rehearsal.readers.preference import SimulatedPreference
from trials.rehearsal.readers.rating_form import SimulatedForm, form_answer
from trials.selectors.protocol import protocol_locked, protocol_of_version

_READER, _QUESTIONNAIRE, _ITEMS = 1, 2, 3
"""Keys of the streams under the seed."""


@dataclass(frozen=True)
class Crew:
    """The simulated readers of one study: they differ, and share what is there to be seen."""

    protocol: ProtocolV1
    plan: RehearsalPlan
    seed: int
    item_effects: Mapping[str, float]
    """By item code, logit scale; of pairs alone."""

    def reader(self, number: int) -> SimulatedReader:
        """Return the reader of that number, from 1, for the protocol's task."""
        if self.protocol.task is None:
            raise LookupError("The protocol has no task to simulate.")
        return _MAKERS[self.protocol.task.kind](self, number)

    def questionnaire(self, number: int) -> dict[str, Any]:
        """Return what the reader of that number says of themselves: every question answered, numbers rather low."""
        rng = stream(self.seed, _QUESTIONNAIRE, number)
        answers = {}
        for question in self.protocol.questionnaire.questions:
            count = len(question.options) if question.kind is QuestionKind.MULTIPLE_CHOICE else 1
            is_number = question.kind in (QuestionKind.INTEGER, QuestionKind.NUMBER)
            answers[question.key] = form_answer(
                question, rng.beta(1, 5, count) if is_number else rng.random(count)
            )
        return {key: value for key, value in answers.items() if value is not None}


def crew_of(trial: Trial, *, seed: int, plan: RehearsalPlan | None = None) -> Crew:
    """Return the simulated readers of a trial whose protocol is locked."""
    protocol = protocol_of_version(protocol_locked(trial))
    settings = plan or RehearsalPlan()
    effects: dict[str, float] = {}
    if protocol.preference is not None:
        items = list(trial.items.select_related("case").order_by("code"))
        cases = np.unique([item.case.code for item in items], return_inverse=True)[1]
        drawn = preference_population(settings.preference).item_effects(
            stream(seed, _ITEMS), cases.astype(np.intp)
        )
        effects = {item.code: float(effect) for item, effect in zip(items, drawn, strict=True)}
    return Crew(protocol, settings, seed, effects)


def simulated_reader(trial: Trial, *, number: int, seed: int) -> SimulatedReader:
    """Return the reader of that number, from 1, for the trial's task, by the default plan."""
    return crew_of(trial, seed=seed).reader(number)


def simulated_questionnaire(trial: Trial, *, number: int, seed: int) -> dict[str, Any]:
    """Return what the reader of that number says of themselves."""
    return crew_of(trial, seed=seed).questionnaire(number)


@dataclass(frozen=True)
class _Traits:
    """What sets one person apart, whatever they read."""

    skill: float
    bias: float
    speed: float
    fatigue: float


def _traits(crew: Crew, number: int) -> _Traits:
    rng, people = stream(crew.seed, _READER, number), crew.plan.readers
    low, high = sorted((people.skill_lowest, people.skill_highest))
    return _Traits(
        skill=float(rng.uniform(low, high)),
        bias=float(rng.normal(0.0, people.bias_sd)),
        speed=float(rng.lognormal(0.0, people.speed_sd)),
        fatigue=float(rng.normal(people.fatigue_mean, people.fatigue_sd)),
    )


def _preference(crew: Crew, number: int) -> SimulatedReader:
    population, who = preference_population(crew.plan.preference), _traits(crew, number)
    [model] = population.readers(stream(crew.seed, _READER, number), 1)
    model = replace(model, speed=who.speed, fatigue=who.fatigue)
    return SimulatedPreference(model=model, effects=crew.item_effects, seed=crew.seed, number=number)


def _classification(crew: Crew, number: int) -> SimulatedReader:
    """The population's reader of that number, drawn in a row, so that everybody keeps their own."""
    conditions, model = rating_model(crew.protocol, crew.plan.classification)
    population = RatingPopulation(conditions, model, crew.seed)
    reader, who = population.readers(stream(crew.seed, _READER), number)[-1], _traits(crew, number)
    reader = replace(reader, speed=who.speed, fatigue=who.fatigue)
    return SimulatedClassification(population=population, model=reader, seed=crew.seed)


def _contouring(crew: Crew, number: int) -> SimulatedReader:
    who = _traits(crew, number)
    model = ContouringReader(skill=who.skill, bias_mm=who.bias, speed=who.speed, fatigue=who.fatigue)
    return SimulatedContouring(model, seed=crew.seed, number=number)


def _contour_review(crew: Crew, number: int) -> SimulatedReader:
    who = _traits(crew, number)
    model = ContourReviewReader(skill=who.skill, bias_mm=who.bias, speed=who.speed, fatigue=who.fatigue)
    return SimulatedReview(model, seed=crew.seed, number=number)


def _rating_form(crew: Crew, number: int) -> SimulatedReader:
    who = _traits(crew, number)
    model = FormReader(skill=who.skill, bias=who.bias, speed=who.speed, fatigue=who.fatigue)
    return SimulatedForm(model, seed=crew.seed, number=number)


_MAKERS: Mapping[str, Callable[[Crew, int], SimulatedReader]] = {
    "preference": _preference,
    "classification": _classification,
    "contouring": _contouring,
    "contour-review": _contour_review,
    "rating-form": _rating_form,
}
"""By kind of task."""
