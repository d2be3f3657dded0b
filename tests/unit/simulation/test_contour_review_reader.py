"""Simulated readers who review contours: as skilled, biased, lenient, fast and blinded as they were set."""

import numpy as np
import pytest

from equipoise.metrics import dice
from equipoise.simulation import ContourReviewReader, stream

SPACING_MM = (3.0, 1.0, 1.0)
CERTAIN = {"cannot_assess_rate": 0.0}


def ball(radius_mm):
    z, y, x = np.indices((16, 60, 60))
    return np.sqrt(((z - 8) * 3.0) ** 2 + (y - 30) ** 2 + (x - 30) ** 2) < radius_mm


@pytest.fixture(scope="module")
def structure():
    return ball(15)


def answers(structure, shown, *, n=12, by_algorithm=True, position=1, allow_edit=True, **model):
    reader = ContourReviewReader(**{**CERTAIN, **model})
    return [
        reader.answer(
            stream(7, number),
            structure,
            shown,
            SPACING_MM,
            by_algorithm=by_algorithm,
            position=position,
            allow_edit=allow_edit,
        )
        for number in range(n)
    ]


def test_the_same_stream_gives_the_same_review(structure):
    first, second = (answers(structure, ball(18), n=1)[0] for _ in range(2))
    np.testing.assert_array_equal(first.mask, second.mask)
    assert (first.slice_s, first.wall_s, first.origin) == (second.slice_s, second.wall_s, second.origin)


def test_a_good_contour_is_accepted_a_wrong_one_edited_towards_the_structure_a_useless_one_rejected(
    structure,
):
    expert = {"skill": 1.0, "limits": (0.95, 0.8, 0.2)}
    assert {one.verdict for one in answers(structure, structure, **expert)} == {"accept"}
    edits = answers(structure, ball(18), **expert)
    assert {one.verdict for one in edits} == {"edit"}
    for one in edits:
        assert dice(structure, one.mask) > dice(structure, ball(18))
        changed = np.flatnonzero((one.mask != ball(18)).any(axis=(1, 2)))
        assert sorted(one.slice_s) == changed.tolist()
    useless = answers(structure, np.zeros_like(structure), **expert)
    assert {(one.verdict, one.acceptability, one.mask) for one in useless} == {("reject", 4, None)}


def test_a_lenient_reader_accepts_more_and_nobody_edits_where_it_is_not_allowed(structure):
    shown = ball(18)
    assert {one.verdict for one in answers(structure, shown, leniency=1.0)} == {"accept"}
    assert {
        one.verdict for one in answers(structure, shown, skill=1.0, limits=(0.95, 0.2), allow_edit=False)
    } == {"reject"}


def test_times_follow_speed_and_fatigue_and_run_in_order(structure):
    shown = ball(18)

    def median_s(**options):
        return np.median([one.wall_s for one in answers(structure, shown, n=30, **options)])

    assert median_s(speed=2.0) == pytest.approx(median_s() / 2, rel=0.1)
    assert median_s(fatigue=1.0, position=101) == pytest.approx(2 * median_s(), rel=0.1)
    for one in answers(structure, shown):
        assert 0 < one.judged_s < one.decision_s < one.wall_s
        assert one.judged_s + sum(one.slice_s.values()) < one.decision_s + 1e-9


def test_a_blinded_reader_guesses_and_one_with_insight_knows(structure):
    for by_algorithm, truth in ((True, "algorithm"), (False, "person")):
        knowing = answers(structure, structure, by_algorithm=by_algorithm, insight=1.0)
        assert {one.origin for one in knowing} == {truth}
    blinded = answers(structure, structure, n=400, dont_know_rate=0.25)
    share = {name: sum(one.origin == name for one in blinded) / 400 for name in ("person", "dont_know")}
    assert share["dont_know"] == pytest.approx(0.25, abs=0.08)
    assert share["person"] == pytest.approx(0.375, abs=0.09)


def test_what_cannot_be_a_reader_is_refused(structure):
    for wrong, says in (
        ({"insight": 1.5}, "insight must be in"),
        ({"speed": 0}, "speed must be positive"),
        ({"limits": (0.5, 0.8)}, "limits must fall"),
    ):
        with pytest.raises(ValueError, match=says):
            ContourReviewReader(**wrong)
    with pytest.raises(ValueError, match="position must be at least 1"):
        answers(structure, structure, n=1, position=0)
    assert answers(structure, structure, n=1, cannot_assess_rate=1.0)[0].cannot_assess
