"""Every shipped template in a browser, from the invitation to the export, by keyboard alone; nothing for axe."""

import csv
import io
import re

import pytest

from tests.e2e import world as e2e
from tests.e2e.contouring import CLIPPED
from tests.e2e.test_reader import onboard
from tests.factories.templates import template_world
from trials.domain.protocol.questions import QuestionKind
from trials.domain.states import TrialAction
from trials.models import Reading
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.templates import template_names

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("site")]

CASES = 2
ELSEWHERE = {
    "bone-scan-sequential",  # by the tests of its own screen
    # The screens of bone-scan-mrmc; who reads what has no screen of its own.
    *("bone-scan-split-plot", "bone-scan-incomplete", "bone-scan-latin-square"),
    *("performance-by-subgroup", "prognostic-value"),  # the screens of contouring-variability
}
"""Templates that are read from the invitation to the export elsewhere."""


def give_preference(page, protocol):
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    return {"choice_side": "right"}


def give_rating(page, protocol):
    for key in ("y", "8", "Enter"):
        page.keyboard.press(key)
    return {"decision": "1", "score": "0.8"}


def draw(page, protocol):
    page.keyboard.press("b")
    page.keyboard.down("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.up("Space")
    page.keyboard.press("Enter")
    return {"slices": "1", "undos": "0"}


def accept(page, protocol):
    for key in ("1", "1", "3", "Enter"):
        page.keyboard.press(key)
    return {"acceptability": "1", "verdict": "accept", "surface_dice": "1.0"}


def fill_in(page, protocol):
    """Give the first answer to every question, 40 where a number is asked for, and words."""
    given = {}
    for question in protocol.task.form_questions:
        if question.kind in (QuestionKind.INTEGER, QuestionKind.NUMBER, QuestionKind.TEXT):
            given[question.key] = "Nothing" if question.kind is QuestionKind.TEXT else "40"
            field = page.get_by_label(question.label, exact=True).locator("visible=true").last
            page.wait_for_function(
                "(label) => document.activeElement?.getAttribute('aria-label') === label", arg=question.label
            )
            page.keyboard.type(given[question.key])
            assert field.input_value() == given[question.key]
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("1")
            is_yes = question.kind is QuestionKind.YES_NO
            given[question.key] = "1" if is_yes else question.options[0].value
        if question.kind not in (QuestionKind.YES_NO, QuestionKind.CHOICE, QuestionKind.LIKERT):
            page.keyboard.press("ArrowDown")
    total = len(given)
    page.get_by_role("heading", name=f"{total} of {total} questions answered").wait_for()
    page.keyboard.press("Enter")
    return given


HANDS = {
    "preference": give_preference,
    "classification": give_rating,
    "contouring": draw,
    "contour-review": accept,
    "rating-form": fill_in,
}
"""How a task is answered by keys: kind -> what is done, which returns what the export then says."""


def wait_until_answered(page, count):
    """Wait until so many answers that count have reached the server."""
    for _ in range(100):
        if Reading.objects.filter(phase="reading", state="submitted").count() == count:
            return
        page.wait_for_timeout(50)
    raise AssertionError("An answer did not come.")


def exported(visit, world):
    """Unblind the trial and return what the administrator downloads of the readings that were given."""
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    administrator = visit()
    administrator.sign_in(world.administrator.email)
    path = f"{administrator.url}/api/v1/trials/{world.trial.id}/export/readings.csv"
    table = csv.DictReader(io.StringIO(administrator.context.request.get(path).text()))
    return [row for row in table if row["state"] == "submitted"]


@pytest.mark.parametrize("name", [name for name in template_names() if name not in ELSEWHERE])
def test_a_template_is_read_from_the_invitation_to_the_export(visit, name):
    world = template_world(name, cases=CASES)
    protocol = protocol_of_version(protocol_locked(world.trial))
    answer = HANDS[protocol.task.kind]
    page = visit().page(e2e.invitation_path(world))
    speciality = protocol.questionnaire.questions[0].options[0].label
    onboard(page, card_name=re.escape(world.trial.title), speciality=speciality)
    if protocol.reading_environment.grey_steps != "none":
        e2e.pass_grey_steps(page)
    if protocol.practice.count:
        e2e.wait_for_case(page, 1, phase="practice")
        e2e.check_accessible(page)
        answer(page, protocol)
        if protocol.practice.show_reference:
            page.get_by_text("Reference standard:").wait_for()
            page.keyboard.press("Enter")
    given = {}
    for n in range(1, CASES + 1):
        e2e.wait_for_case(page, n)
        if n == 1:
            e2e.check_accessible(page)
            assert page.evaluate(CLIPPED) == []
        given = answer(page, protocol)
        wait_until_answered(page, n)
    page.close()
    rows = exported(visit, world)
    assert [{key: row[key] for key in given} for row in rows] == [given] * CASES
    assert all(0 < float(row["decision_s"]) <= float(row["wall_s"]) for row in rows)
