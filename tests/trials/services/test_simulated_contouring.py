"""A simulated reader outlines through the same opening and submit as a browser."""

import pytest

from equipoise.simulation import ContouringReader
from tests.factories.contouring import expert_mask, open_contouring_world
from trials.models import Reading, Response
from trials.rehearsal.readers.contouring import SimulatedContouring
from trials.rehearsal.simulated_reading import simulated_readings
from trials.selectors.segmentations import response_mask

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def read_all(**model):
    """Let one simulated reader read a trial of two cases, one of them twice."""
    world = open_contouring_world(cases=2, repeats=1, **{"practice.count": 0})
    participant = world.enrol()
    assert (
        simulated_readings(participant, SimulatedContouring(ContouringReader(**model), seed=3, number=1)) == 3
    )


def test_what_the_model_drew_is_stored_with_its_times():
    read_all(skill=1.0, cannot_assess_rate=0.0)
    assert Response.objects.count() == 3
    for reading in Reading.objects.filter(state="submitted"):
        response = reading.responses.get()
        expert = expert_mask(reading)
        stored = response_mask(response.files.get(name="mask"), expert.grid)
        overlap = 2 * (stored & expert.array).sum() / (stored.sum() + expert.array.sum())
        assert 0.8 < overlap < 1
        drawing_s = sum(response.answer["slice_ms"].values()) / 1000
        assert drawing_s < response.timing["decision_s"] < response.timing["wall_s"]
        assert response.answer["slices"] == len(response.answer["slice_ms"]) == response.answer["acts"]


def test_a_case_that_the_reader_cannot_assess_has_a_reason_and_no_contour():
    read_all(cannot_assess_rate=1.0)
    assert [response.answer for response in Response.objects.all()] == [{"reason_code": "image_quality"}] * 3
