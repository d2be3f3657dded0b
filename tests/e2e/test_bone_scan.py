"""Bone scans in the browser: every reading by keyboard alone, the aid in its place, the overlay on its pixels."""

import csv
import io

import numpy as np
import pytest

from tests.e2e import world as e2e
from tests.e2e.contouring import CLIPPED
from tests.e2e.http_reader import HttpReader
from tests.e2e.test_reader import onboard
from tests.factories import bone_scans as bones
from trials.domain.results import Failure, FailureCode
from trials.models import Reading, ReadingEvent, Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

LARGE = (2, 256, 128)


def aided_world(*, name="bone-scan-mrmc", failing=(), shape=LARGE, heat=None, **options):
    """Return an open trial whose algorithm has a probability and a heat map for every case but the failing ones."""
    world = bones.bone_scan_world(name=name, shape=shape, **options)
    for number, case in enumerate(world.trial.cases.order_by("code")):
        if number in failing:
            bones.ai_result(world, case, failure=Failure(FailureCode.CRASHED))
        else:
            levels = heat if heat is not None else blob(number, shape)
            bones.ai_result(world, case, probability=0.1 + 0.1 * number, levels=levels)
    world.act(bones.TrialAction.LOCK)
    world.act(bones.TrialAction.OPEN)
    return world


def blob(number, shape):
    z, y, x = np.indices(shape)
    distance = (y - 80 - 9 * number) ** 2 + (x - 64) ** 2
    return (255 * np.exp(-distance / 300) * (z == number % 2)).astype(np.uint8)


def begin(visit, world, **options):
    participant = world.enrol()
    browser = visit(**options)
    browser.sign_in(e2e.email_of(participant))
    page = browser.page(e2e.reading_path(world))
    e2e.pass_grey_steps(page)
    return participant, page


def case_shown(page, n, *, phase="reading"):
    e2e.wait_for_case(page, n, phase=phase)


def answer(page, decision="y", rating="8"):
    page.keyboard.press(decision)
    page.keyboard.press(rating)
    page.keyboard.press("Enter")


def test_a_period_is_read_by_keyboard_alone_and_axe_finds_nothing(visit):
    world = aided_world(cases=4, practice=1, failing=(0,))
    participant, page = begin(visit, world)
    case_shown(page, 1, phase="practice")
    assert page.get_by_role("heading", name="Are bone metastases present?").is_visible()
    e2e.check_accessible(page)
    answer(page)
    page.get_by_text("Reference standard:").wait_for()
    e2e.check_accessible(page)
    page.keyboard.press("Enter")
    aids = {}
    for n in range(1, 5):
        case_shown(page, n)
        reading = Reading.objects.select_related("item__case").get(participant=participant, state="open")
        row = page.get_by_test_id("aid")
        text = row.inner_text()
        aids[reading.item.case.code, reading.condition] = text
        box = row.bounding_box()
        assert box["height"] == 34, "the place of the aid is the same with and without one"
        e2e.check_accessible(page)
        page.keyboard.press("y")
        page.get_by_role("heading", name="How likely is it that metastases are present?").wait_for()
        slider = page.get_by_role("slider", name="Suspicion of disease")
        assert slider.get_attribute("aria-valuetext") == "not rated yet"
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "not rated yet", "without a position nothing moves"
        page.keyboard.press("7")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "72 of 100"
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="To be continued").wait_for()
    e2e.check_accessible(page)
    assert (
        list(Response.objects.filter(reading__phase="reading").values_list("answer", flat=True))
        == [{"decision": 1, "rating": 72, "marks": [], "reason_code": None}] * 4
    )
    for (code, condition), text in aids.items():
        if condition == "unaided":
            assert text.strip() == ""
        elif code == "C-001":
            assert "AI result not available" in text
        else:
            assert "%" in text


@pytest.mark.parametrize("name", ["bone-scan-mrmc", "bone-scan-sequential"])
def test_every_control_of_an_aided_reading_is_whole_with_long_words_too(visit, name):
    words = {"negative": "No bone metastasis", "positive": "Bone metastasis"}
    own = {f"tasks.0.decision.{key}": value for key, value in words.items()}
    world = aided_world(name=name, cases=4, practice=0, **own)
    participant, page = begin(visit, world)
    aided = []
    for n in (1, 1, 2, 2) if name == "bone-scan-sequential" else range(1, 5):
        case_shown(page, n)
        reading = Reading.objects.get(participant=participant, state="open")
        assert page.evaluate(CLIPPED) == []
        page.keyboard.press("y")
        page.keyboard.press("8")
        assert page.evaluate(CLIPPED) == []
        aided.append(reading.condition == "aided")
        page.keyboard.press("Enter")
        wait_until_answered(page, reading)
    assert True in aided
    assert False in aided


def wait_until_answered(page, reading):
    for _ in range(100):
        if Reading.objects.get(id=reading.id).state == "submitted":
            return
        page.wait_for_timeout(50)
    raise AssertionError("The answer did not come.")


def test_what_is_done_with_the_overlay_stands_in_the_record(visit):
    world = aided_world(cases=4, practice=0)
    participant, page = begin(visit, world)
    for n in range(1, 5):
        case_shown(page, n)
        if Reading.objects.get(participant=participant, state="open").condition == "aided":
            break
        answer(page)
    shown = e2e.pane_hashes(page)
    page.keyboard.press("o")
    hidden = e2e.pane_hashes(page)
    page.keyboard.press("o")
    page.keyboard.press("]")
    page.keyboard.press("]")
    stronger = e2e.pane_hashes(page)
    assert len({tuple(shown), tuple(hidden), tuple(stronger)}) == 3
    answer(page)
    case_shown(page, n + 1)
    events = ReadingEvent.objects.filter(reading__participant=participant, kind="overlay_change")
    assert [event.data for event in events.order_by("sequence")] == [
        {"on": False, "opacity": 0.5},
        {"on": True, "opacity": 0.5},
        {"on": True, "opacity": 0.6},
        {"on": True, "opacity": 0.7},
    ]


def corner_heat(shape):
    """Hot at the four corner pixels of either view and nowhere else."""
    levels = np.zeros(shape, np.uint8)
    for z in range(shape[0]):
        for y in (0, shape[1] - 1):
            for x in (0, shape[2] - 1):
                levels[z, y, x] = 255
    return levels


@pytest.mark.parametrize("flat", [False, True], ids=["with 3D", "without 3D"])
def test_the_overlay_lies_on_the_pixels_of_the_image(visit, request, flat):
    """At one image pixel per screen pixel exactly the corner pixels are coloured."""
    world = aided_world(cases=2, practice=0, heat=corner_heat(LARGE))
    browser = request.getfixturevalue("browser_without_3d") if flat else None
    participant, page = begin(visit, world, in_browser=browser)
    case_shown(page, 1)
    if Reading.objects.get(participant=participant, state="open").condition == "unaided":
        answer(page)
        case_shown(page, 2)
    # The image fits the pane's height: a pane as high as the image shows it pixel by pixel.
    height = page.evaluate("() => document.querySelector('canvas').clientHeight")
    page.set_viewport_size({"width": 1280, "height": 800 + LARGE[1] - height})
    page.wait_for_function("(rows) => document.querySelector('canvas').clientHeight === rows", arg=LARGE[1])
    for _ in range(5):
        page.keyboard.press("]")
    with_heat = e2e.pane_pixels(page)
    page.keyboard.press("o")
    without = e2e.pane_pixels(page)
    for pane, bare in zip(with_heat, without, strict=True):
        changed = np.argwhere((pane[..., :3] != bare[..., :3]).any(axis=-1))
        left = int(pane.shape[1] / 2 - LARGE[2] / 2 + 0.5)
        corners = [[y, left + x] for y in (0, LARGE[1] - 1) for x in (0, LARGE[2] - 1)]
        assert changed.tolist() == corners
        assert [pane[y, x, :3].tolist() for y, x in corners] == [[254, 232, 56]] * 4


def test_a_sequential_pair_is_committed_and_the_first_answer_stands_above_the_second(visit):
    world = aided_world(name="bone-scan-sequential", cases=2, practice=0)
    _participant, page = begin(visit, world)
    case_shown(page, 1)
    assert page.get_by_test_id("aid").inner_text().strip() == ""
    page.keyboard.press("n")
    page.keyboard.press("2")
    page.get_by_role("button", name="Commit").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("First answer, locked: No metastasis, 20").wait_for()
    case_shown(page, 1)
    assert "AI: probability" in page.get_by_test_id("aid").inner_text()
    e2e.check_accessible(page)
    answer(page, "y", "6")
    case_shown(page, 2)
    assert list(
        Response.objects.order_by("reading__position").values_list(
            "reading__stage", "answer__decision", "answer__rating"
        )
    ) == [(1, 0, 20), (2, 1, 60)]


def test_views_are_labelled_with_the_sides_of_the_body(visit):
    world = aided_world(cases=2, practice=0)
    _, page = begin(visit, world)
    case_shown(page, 1)
    panes = page.locator("main > div")
    assert [panes.nth(n).inner_text().split() for n in range(2)] == [["AP", "R", "L"], ["PA", "L", "R"]]


def test_marks_are_set_by_keys_and_by_mouse(visit):
    world = aided_world(
        cases=2,
        practice=0,
        **{"tasks.0.marks": {"shape": "point", "rated": True, "required_if_positive": True}},
    )
    _participant, page = begin(visit, world)
    case_shown(page, 1)
    page.keyboard.press("y")
    page.keyboard.press("9")
    assert page.get_by_role("button", name="Confirm").is_disabled(), "a positive answer wants a mark"
    page.keyboard.press("l")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Space")
    page.keyboard.press("6")
    page.keyboard.press("v")
    page.keyboard.press("Space")
    page.keyboard.press("4")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    case_shown(page, 2)
    marks = Response.objects.get().answer["marks"]
    assert marks == [
        {"frame": 0, "x": 63.5, "y": 117.5, "rating": 60},
        {"frame": 1, "x": 63.5, "y": 117.5, "rating": 40},
    ]


def by_the_truth(reading):
    """Return the answer of a reader who is right, more surely with the aid."""
    truth = reading.item.case.reference_standards.get().truth
    away = 10 if reading.condition == "aided" else 30
    return bones.rated(truth, 100 - away if truth else away)


def test_a_sequential_trial_from_the_invitation_to_the_export(visit, site):
    world = aided_world(name="bone-scan-sequential", cases=4, practice=1)
    browser = visit()
    page = browser.page(e2e.invitation_path(world))
    onboard(page, card_name="Bone scans", speciality="Nuclear medicine")
    e2e.pass_grey_steps(page)
    for phase, total in (("practice", 1), ("reading", 4)):
        for n in range(1, total + 1):
            for first in (True, False):
                case_shown(page, n, phase=phase)
                answer(page, "n" if first else "y", "3" if first else "7")
                if first:
                    page.get_by_text("First answer, locked: No metastasis, 30").wait_for()
                elif phase == "practice":
                    page.get_by_text("Reference standard:").wait_for()
                    page.keyboard.press("Enter")
                elif n == total:
                    page.wait_for_function("() => document.querySelector('canvas') === null")
    for _ in range(2):
        with HttpReader(site.url, world.enrol()) as reader:
            assert reader.read_everything(answer=by_the_truth) == 2 + 8
    for action in (bones.TrialAction.CLOSE, bones.TrialAction.DATA_LOCK, bones.TrialAction.UNBLIND):
        world.act(action)
    administrator = visit()
    administrator.sign_in(world.administrator.email)
    path = f"{administrator.url}/api/v1/trials/{world.trial.id}/export"
    table = csv.DictReader(io.StringIO(administrator.context.request.get(f"{path}/readings.csv").text()))
    rows = [row for row in table if row["participant_kind"] == "reader"]
    assert len(rows) == 3 * 4 * 2
    seen = [(row["condition"], row["decision"], row["score"]) for row in rows if row["participant"] == "R-01"]
    assert seen == [("unaided", "0", "0.3"), ("aided", "1", "0.7")] * 4
    truth = list(csv.DictReader(io.StringIO(administrator.context.request.get(f"{path}/truth.csv").text())))
    assert [row["truth"] for row in truth] == ["0", "1", "0", "1"]
