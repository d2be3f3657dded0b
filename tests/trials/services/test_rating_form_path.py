"""Rating forms from the opened reading to the table: conditions, words kept apart, labels of several readers."""

import csv
import io

import pytest

from equipoise.common.errors import ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from tests.factories.forms import form_world, labeller, open_form, submit_form
from trials.domain.states import TrialAction
from trials.models import Reading, Response, ResponseComment
from trials.reports.exports import labels_csv, readings_csv
from trials.selectors.presentation import presentation_document
from trials.selectors.tables import snapshot_sha256
from trials.services.analysis import analysis_request

pytestmark = [pytest.mark.django_db, pytest.mark.db]

NO = {"pet_needed": False, "location": "parenchyma"}
YES = {"pet_needed": True, "pet_reason": ["mediastinum", "atelectasis"], "location": "mediastinum"}


def rows_of(lines):
    return list(csv.DictReader(io.StringIO("".join(lines))))


def unblind(world):
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)


def label_everything(world, participant, answer_of):
    while participant.readings.filter(state__in=["planned", "open"]).exists():
        opened = open_form(participant)
        submit_form(participant, opened, answer_of(opened.reading.item.case.code))


def test_the_screen_is_sent_the_form_and_nothing_of_the_case():
    world = form_world()
    opened = open_form(labeller(world))
    document = presentation_document(opened.reading, asset_tokens=opened.asset_tokens)
    setup = document["setup"]
    assert setup["kind"] == "rating-form"
    assert [question["key"] for question in setup["questions"]] == ["pet_needed", "pet_reason", "location"]
    assert setup["questions"][1]["shown_if"] == {"question": "pet_needed", "answers": ["yes"]}
    assert document["scroll"] is True
    assert document["images"][0]["frame_count"] == 12
    assert "C-00" not in str(document)


@pytest.mark.parametrize(
    "answers, wrong",
    [
        ({}, {"/answer/answers/pet_needed", "/answer/answers/location"}),
        ({**NO, "pet_reason": ["other"]}, {"/answer/answers/pet_reason"}),
        ({"pet_needed": True, "location": "parenchyma"}, {"/answer/answers/pet_reason"}),
        ({**NO, "location": "brain"}, {"/answer/answers/location"}),
        ({**NO, "pet_needed": 0}, {"/answer/answers/pet_needed"}),
        ({**NO, "colour": "red"}, {"/answer/answers/colour"}),
        ("everything", {"/answer/answers"}),
    ],
)
def test_wrong_answers_are_named_and_nothing_is_stored(answers, wrong):
    reader = labeller(form_world(cases=1))
    opened = open_form(reader)
    with pytest.raises(ValidationFailedError) as refused:
        submit_form(reader, opened, answers)
    assert set(refused.value.data["fields"]) == wrong
    assert Response.objects.count() == 0
    assert Reading.objects.get(id=opened.reading.id).state == "open"


def test_an_image_that_cannot_be_assessed_has_no_answers():
    reader = labeller(form_world(cases=1))
    opened = open_form(reader)
    with pytest.raises(ValidationFailedError, match="no answer but the reason"):
        submit_form(reader, opened, NO, reason_code="image_quality")
    submit_form(reader, opened, None, reason_code="image_quality")
    assert Response.objects.get().answer == {"answers": {}, "reason_code": "image_quality"}
    assert Reading.objects.get(id=opened.reading.id).state == "not-assessable"


def test_every_question_is_a_column_and_answers_are_told_after_unblinding_only():
    world = form_world(cases=2)
    for answer in (NO, YES):
        label_everything(world, labeller(world), lambda _, answer=answer: answer)
    blind = rows_of(readings_csv(world.trial))
    assert {row["pet_needed"] for row in blind} == {""}
    unblind(world)
    rows = rows_of(readings_csv(world.trial))
    told = [(row["participant"], row["pet_needed"], row["pet_reason"], row["location"]) for row in rows]
    assert told == [
        ("R-01", "0", "", "parenchyma"),
        ("R-01", "0", "", "parenchyma"),
        ("R-02", "1", "atelectasis;mediastinum", "mediastinum"),
        ("R-02", "1", "atelectasis;mediastinum", "mediastinum"),
    ]
    assert {(row["task"], row["state"]) for row in rows} == {("rating-form", "submitted")}


def test_words_are_kept_apart_and_can_be_erased_without_touching_the_frozen_hash():
    questions = [
        {"key": "seen", "kind": "yes_no", "label": "Seen?"},
        {"key": "remark", "kind": "text", "label": "Anything else?", "required": False},
    ]
    consensus = {"questions": ["seen"], "rule": "none"}
    world = form_world(cases=1, task={"questions": questions, "consensus": consensus})
    reader = labeller(world)
    submit_form(reader, open_form(reader), {"seen": True, "remark": " Ring on the left hand "})
    assert Response.objects.get().answer == {"answers": {"seen": True}, "reason_code": None}
    assert ResponseComment.objects.get().answers == {"remark": "Ring on the left hand"}
    unblind(world)
    assert rows_of(readings_csv(world.trial))[0]["remark"] == "Ring on the left hand"
    before = snapshot_sha256(world.trial)
    ResponseComment.objects.all().delete()
    assert rows_of(readings_csv(world.trial))[0]["remark"] == ""
    assert snapshot_sha256(world.trial) == before


def test_a_disagreement_counts_as_the_protocol_says():
    world = form_world(cases=3)
    first = {"C-001": NO, "C-002": NO, "C-003": YES}
    second = {"C-001": NO, "C-002": YES, "C-003": YES}
    for answers in (first, second):
        label_everything(world, labeller(world), lambda case, answers=answers: answers[case])
    assert rows_of(labels_csv(world.trial)) == []
    unblind(world)
    rows = rows_of(labels_csv(world.trial))
    assert [(row["case"], row["agreed"], row["label"], row["label_from"]) for row in rows] == [
        ("C-001", "1", "no", "agreement"),
        ("C-002", "0", "yes", "rule"),
        ("C-003", "1", "yes", "agreement"),
    ]
    assert rows[1]["labels"] == "R-01=no;R-02=yes"


def test_an_adjudicator_decides_where_labellers_disagree_and_nowhere_else():
    consensus = {"questions": ["pet_needed"], "rule": "adjudication", "adjudicators": "adjudicator"}
    world = form_world(cases=2, strata={"labeller": 2, "adjudicator": 1}, task={"consensus": consensus})
    for part, answers in (
        ("labeller", {"C-001": NO, "C-002": NO}),
        ("labeller", {"C-001": NO, "C-002": YES}),
        ("adjudicator", {"C-001": YES, "C-002": YES}),
    ):
        label_everything(world, labeller(world, part=part), lambda case, answers=answers: answers[case])
    unblind(world)
    rows = rows_of(labels_csv(world.trial))
    assert [(row["case"], row["n_labels"], row["label"], row["label_from"]) for row in rows] == [
        ("C-001", "2", "no", "agreement"),
        ("C-002", "2", "yes", "adjudicator"),
    ]


def test_the_planned_survey_counts_the_forms_answers_alone():
    world = form_world(cases=3)
    for answers in (
        {"C-001": NO, "C-002": NO, "C-003": YES},
        {"C-001": NO, "C-002": YES, "C-003": YES},
    ):
        label_everything(world, labeller(world), lambda case, answers=answers: answers[case])
    unblind(world)
    analysis = analysis_request(
        world.trial, name="survey", options={}, external_table=None, actor=world.actor
    )
    job_run_inline(analysis.job_id)
    analysis.refresh_from_db()
    assert analysis.state == "succeeded", analysis.message
    assert analysis.exploratory is False
    table = analysis.results["tables"]["distribution"]
    counted = {(row[0], row[1]): row[2] for row in table["rows"]}
    assert counted == {
        ("pet_needed", "0"): 3,
        ("pet_needed", "1"): 3,
        ("location", "mediastinum"): 3,
        ("location", "parenchyma"): 3,
    }
