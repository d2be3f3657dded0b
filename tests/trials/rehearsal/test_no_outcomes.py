"""A rehearsal is read before data lock: nothing in it depends on what the trial's algorithms gave."""

import json

import numpy as np
import pytest

from equipoise.archive.selectors import stored_mask
from equipoise.archive.services import mask_store
from equipoise.imaging.mask import Mask
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import JobState
from tests.factories.bone_scans import ai_result, bone_scan_world
from tests.factories.contouring import contouring_world
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.results import Failure, FailureCode
from trials.models import AlgorithmResult, Contour
from trials.rehearsal.run import rehearse, report_lines
from trials.rehearsal.sandbox import sandbox
from trials.selectors.rehearsal import rehearsals_document
from trials.services.acts import Actor
from trials.services.rehearsal import rehearsal_request

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def rehearsed(world):
    """Return everything that a rehearsal tells, as text, but for how long it took."""
    report = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=lambda *_: None)
    assert report.passed, report.problems
    return json.dumps([report.document() | {"seconds": 0}, list(report_lines(report))])


def algorithm_contours(world, change):
    """Let the algorithm have drawn what ``change`` makes of the expert's voxels."""
    for case in world.trial.cases.all():
        expert = stored_mask(case.contours.get(source="expert").mask)
        contour = case.contours.get(source="algorithm")
        drawn = Mask(change(expert.array), expert.grid)
        contour.mask = mask_store(contour.mask.volume, drawn, source="algorithm")
        contour.voxel_count = contour.mask.voxel_count
        contour.save()


def the_same(voxels):
    return voxels


def far_away(voxels):
    return np.roll(voxels, 20, axis=1)


def test_results_of_the_trials_algorithm_leave_no_trace_in_a_rehearsal():
    """The same before any came as with an algorithm that separates the cases without error and crashed on two."""
    world = bone_scan_world(cases=8)
    before = rehearsed(world)
    assert "A-01" in before  # its simulated results are analysed
    diseased = {case.code: case.reference_standards.get().truth for case in world.trial.cases.all()}
    for number, case in enumerate(world.trial.cases.order_by("code")):
        if number in (1, 2):
            ai_result(world, case, failure=Failure(code=FailureCode.CRASHED))
        else:
            ai_result(world, case, probability=0.987 if diseased[case.code] else 0.013)
    assert AlgorithmResult.objects.count() == 10
    assert rehearsed(world) == before


def test_record_of_a_rehearsal_shows_no_area_of_a_perfect_algorithm():
    world = bone_scan_world(cases=8)
    for case in world.trial.cases.all():
        ai_result(world, case, probability=0.9 if case.reference_standards.get().truth else 0.1)
    rehearsal = rehearsal_request(
        world.trial, seed=1, plan=RehearsalPlan(), actor=Actor(account_id=world.administrator.id)
    )
    assert job_run_inline(rehearsal.job_id).state == JobState.SUCCEEDED
    [shown] = rehearsals_document(world.trial)["results"]
    [roc] = [one for one in shown["report"]["analyses"] if one["name"] == "roc"]
    of_algorithm = [sentence for sentence in roc["findings"] if "A-01" in sentence]
    assert of_algorithm
    assert not any("1.00" in sentence.partition("(")[0] for sentence in of_algorithm), of_algorithm


@pytest.mark.parametrize("protocol", ["contouring-variability", "contour-review"])
def test_contours_of_the_trials_algorithm_leave_no_trace_in_a_rehearsal(protocol):
    repeats = 1 if protocol == "contouring-variability" else 0
    world = contouring_world(protocol=protocol, repeats=repeats)
    algorithm_contours(world, the_same)
    perfect = rehearsed(world)
    algorithm_contours(world, far_away)
    assert rehearsed(world) == perfect


def test_case_on_which_the_algorithm_gave_no_contour_is_not_told():
    world = contouring_world()
    complete = rehearsed(world)
    Contour.objects.filter(case=world.trial.cases.order_by("code").first(), source="algorithm").delete()
    assert rehearsed(world) == complete


def test_copy_has_neither_results_nor_heat_maps_nor_masks_of_results():
    world = bone_scan_world(cases=2)
    case = world.trial.cases.order_by("code").first()
    ai_result(world, case, levels=np.zeros((2, 64, 32), np.float32))
    with sandbox(world.trial) as box:
        assert not box.trial.algorithm_results.exists()
        image = box.trial.cases.order_by("code").first().images.get()
        assert not image.volume.heat_maps.exists()
    assert AlgorithmResult.objects.count() == 1
