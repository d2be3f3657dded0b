"""A simulated reader fills in forms through the same opening and submit as a browser."""

import pytest

from equipoise.simulation import FormReader
from tests.factories.forms import form_world, labeller
from trials.models import Response
from trials.rehearsal.readers.rating_form import SimulatedForm
from trials.rehearsal.simulated_reading import simulated_readings

pytestmark = [pytest.mark.db, pytest.mark.django_db]

CASES = 6


def answers_of(participant):
    """Return the answers of one reader, case by case."""
    responses = Response.objects.filter(reading__participant=participant)
    return dict(responses.values_list("reading__item__case__code", "answer__answers"))


def read_all(world, *, number, **model):
    """Let one simulated reader label every case."""
    participant = labeller(world)
    assert simulated_readings(participant, SimulatedForm(FormReader(**model), seed=3, number=number)) == CASES
    return participant


def test_readers_who_never_err_give_the_same_labels_each_in_their_own_time():
    world = form_world(cases=CASES)
    one, two = (read_all(world, number=n, skill=1.0, cannot_assess_rate=0.0) for n in (1, 2))
    assert answers_of(one) == answers_of(two)
    assert {answer["pet_needed"] for answer in answers_of(one).values()} == {True, False}
    assert all(answer["pet_needed"] == ("pet_reason" in answer) for answer in answers_of(one).values())
    times = [response.timing for response in Response.objects.all()]
    assert all(0 < time["decision_s"] < time["wall_s"] for time in times)
    assert len({time["wall_s"] for time in times}) == 2 * CASES


def test_a_reader_biased_far_towards_more_says_yes_to_everything():
    reader = read_all(form_world(cases=CASES), number=1, bias=10.0, cannot_assess_rate=0.0)
    for answer in answers_of(reader).values():
        assert answer == {
            "pet_needed": True,
            "pet_reason": ["atelectasis", "mediastinum", "chest_wall", "other"],
            "location": "chest_wall",
        }


def test_a_case_that_the_reader_cannot_assess_has_a_reason_alone():
    read_all(form_world(cases=CASES), number=1, cannot_assess_rate=1.0)
    told = [
        (response.answer["answers"], response.answer["reason_code"]) for response in Response.objects.all()
    ]
    assert told == [({}, "image_quality")] * CASES
