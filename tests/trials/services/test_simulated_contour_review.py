"""A simulated reader reviews contours through the same opening and submit as a browser."""

import gzip
import json

import numpy as np
import pytest

from equipoise.archive.storage import default_store
from equipoise.simulation import ContourReviewReader
from tests.factories.contouring import open_review_world
from trials.models import Reading, Response
from trials.reading_tasks.contour_review.task import start_mask
from trials.rehearsal.readers.contour_review import SimulatedReview
from trials.rehearsal.simulated_reading import simulated_readings
from trials.selectors.segmentations import response_mask

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def read_all(**model):
    """Let one simulated reader review four contours."""
    world = open_review_world(cases=4, **{"practice.count": 0})
    participant = world.enrol()
    reader = SimulatedReview(ContourReviewReader(**model), seed=3, number=1)
    assert simulated_readings(participant, reader) == 4
    return Reading.objects.filter(state="submitted").order_by("position")


def stored_mask_of(reading):
    """Return the voxels that are stored of a reading."""
    file = reading.responses.get().files.get(name="mask")
    return response_mask(file, reading.item.image.volume.grid)


def test_edits_are_stored_with_their_times_and_what_they_changed():
    for reading in read_all(cannot_assess_rate=0.0, limits=(1.01, 0.01)):
        response = reading.responses.get()
        answer = response.answer
        assert answer["verdict"] == "edit"
        assert not np.array_equal(stored_mask_of(reading), start_mask(reading).array)
        assert 0 < answer["editing_s"] < response.timing["decision_s"] < response.timing["wall_s"]
        assert answer["added_path_length_mm"] > 0
        assert 0 < answer["surface_dice"] <= 1
        log = json.loads(gzip.decompress(default_store().read(response.files.get(name="log").key)))
        assert {act["tool"] for act in log} == {"erase_slice", "polygon"}


def test_a_lenient_reader_accepts_every_contour_as_it_was_shown():
    for reading in read_all(leniency=1.0, cannot_assess_rate=0.0):
        assert reading.responses.get().answer["verdict"] == "accept"
        np.testing.assert_array_equal(stored_mask_of(reading), start_mask(reading).array)


def test_a_contour_that_the_reader_cannot_assess_has_a_reason_alone():
    read_all(cannot_assess_rate=1.0)
    assert [response.answer for response in Response.objects.all()] == [{"reason_code": "image_quality"}] * 4
