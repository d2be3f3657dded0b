"""Finished trials of simulated readers, unblinded, for tests of the bundle."""

import numpy as np

from equipoise.simulation import PreferencePopulation, RatingPopulation, stream
from equipoise.simulation.roe_metz import RoeMetzModel
from tests.factories import bone_scans as bones
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import AlgorithmCaseUse
from trials.rehearsal.readers.classification import SimulatedClassification
from trials.rehearsal.readers.preference import SimulatedPreference
from trials.rehearsal.simulated_reading import simulated_readings

SEED = 5


def unblind(world):
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    return world


def preference_finished(*, readers=4):
    """Return a trial of preferences that simulated readers of two specialities have read, unblinded."""
    return unblind(preference_read(readers=readers))


def preference_read(*, readers=4, **options):
    """Return the same trial, still open."""
    world = factory.open_world(**options)
    population = PreferencePopulation(mean_logit=0.4, reader_sd=0.4, case_sd=0.5, item_sd=0.3)
    items = list(world.trial.items.filter(practice=False).select_related("case").order_by("code"))
    cases = np.unique([item.case.code for item in items], return_inverse=True)[1].astype(np.intp)
    effects = population.item_effects(stream(SEED, 2), cases)
    by_item = {item.code: float(effect) for item, effect in zip(items, effects, strict=True)}
    for number, model in enumerate(population.readers(stream(SEED, 1), readers)):
        participant = world.enrol(speciality=("radiology", "other_medical")[number % 2])
        simulated = SimulatedPreference(model=model, effects=by_item, seed=SEED, number=number)
        simulated_readings(participant, simulated)
    return world


def bone_scans_finished(*, cases=12, readers=3, used_in_training=None):
    """Return a two-period trial of bone scans that simulated readers have read, with one heat map of the algorithm."""
    world = bones.open_world(practice=1, cases=cases)
    trial_cases = list(world.trial.cases.filter(purpose="trial").order_by("code"))
    for number, case in enumerate(trial_cases):
        levels = np.full(bones.SHAPE, 200, dtype=np.uint8) if number == 0 else None
        bones.ai_result(world, case, probability=0.2 + 0.05 * number, levels=levels)
    if used_in_training is not None:
        algorithm = world.trial.participants.get(kind="algorithm")
        for case in trial_cases:
            AlgorithmCaseUse.objects.update_or_create(
                participant=algorithm, case=case, defaults={"used_in_training": used_in_training}
            )
    model = RoeMetzModel.with_aucs((0.75, 0.95))
    population = RatingPopulation(("unaided", "aided"), model, seed=SEED)
    for reader in population.readers(stream(SEED), readers):
        simulated = SimulatedClassification(population=population, model=reader, seed=SEED)
        simulated_readings(world.enrol(), simulated)
    return unblind(world)
