"""The bundle's ODM document: valid by CDISC's schema, read again by a library, equal to the tables."""

from copy import deepcopy

import pytest
from odmlib.loader import ODMLoader
from odmlib.odm_loader import XMLODMLoader
from odmlib.odm_parser import ODMSchemaValidator

from tests.factories import trials as factory
from tests.factories.forms import form_world, labeller, open_form, submit_form
from tests.trials.bundle.worlds import bone_scans_finished, unblind
from trials.reports.odm import write_odm
from trials.selectors.tables import readings_rows

pytestmark = [pytest.mark.django_db, pytest.mark.db]

ODD = "=one\x0btwo <three> & four"


def document(trial, path):
    """Return the rows and the document as it is read again, found valid."""
    rows = list(readings_rows(trial, unblinded=True))
    write_odm(trial, rows, path)
    ODMSchemaValidator(standard="odm", version="1.3.2").validate_file(str(path))
    loader = ODMLoader(XMLODMLoader(model_package="odm_1_3_2"))
    loader.open_odm_document(str(path))
    return rows, loader.root()


def answers(subject, event):
    """Return the values of each event of a kind, by the names of their items."""
    return [
        {
            data.ItemOID.removeprefix(f"I.{event}."): data.Value
            for data in one.FormData[0].ItemGroupData[0].ItemData
        }
        for one in subject.StudyEventData
        if one.StudyEventOID == f"SE.{event}"
    ]


def test_odm_document_is_valid_and_holds_every_readers_answers(tmp_path):
    world = bone_scans_finished(cases=4, readers=2)
    rows, root = document(world.trial, tmp_path / "odm.xml")
    [study], [clinical] = root.Study, root.ClinicalData
    [definition] = study.MetaDataVersion
    protocol = world.trial.protocol_versions.get()
    assert definition.Description == f"SHA-256 {protocol.sha256}"
    speciality = next(one for one in definition.CodeList if one.OID == "CL.before.speciality")
    asked = next(one for one in protocol.document["questionnaire"]["questions"] if one["key"] == "speciality")
    assert [(one.CodedValue, one.Decode.TranslatedText[0]._content) for one in speciality.CodeListItem] == [
        (one["value"], one["label"]) for one in asked["options"]
    ]
    assert {one.SubjectKey for one in clinical.SubjectData} == {"R-01", "R-02"}
    for subject in clinical.SubjectData:
        own = [row for row in rows if row["participant"] == subject.SubjectKey]
        told = answers(subject, "reading")
        for name in ("case", "condition", "score", "decision", "state"):
            wanted = [None if row[name] is None else str(row[name]) for row in own]
            assert [one.get(name) for one in told] == wanted, name
        [before] = answers(subject, "before")
        assert before["experience_years"] == "4"


def test_words_that_xml_cannot_hold_are_replaced(tmp_path):
    world = factory.open_world()
    reader = world.enrol()
    for _ in range(reader.readings.filter(phase="practice").count() + 1):
        factory.answer(reader, factory.open_reading(reader), comment=ODD)
    unblind(world)
    _, root = document(world.trial, tmp_path / "odm.xml")
    [subject] = root.ClinicalData[0].SubjectData
    assert ODD.replace("\x0b", "\ufffd") in {one.get("comment") for one in answers(subject, "reading")}


def test_questions_of_a_rating_form_are_items_with_code_lists_and_limits(tmp_path):
    options = [{"value": "left", "label": "Left lung"}, {"value": "right", "label": "Right lung"}]
    questions = [
        {"key": "side", "kind": "choice", "label": "Which side?", "options": options},
        {"key": "also", "kind": "multiple_choice", "label": "And where else?", "options": deepcopy(options)},
        {"key": "lesions", "kind": "integer", "label": "How many?", "minimum": 1, "maximum": 20},
        {"key": "contact", "kind": "yes_no", "label": "Does it touch the pleura?"},
        {"key": "size_mm", "kind": "number", "label": "How large?", "required": False},
    ]
    consensus = {"questions": ["side"], "rule": "none"}
    world = form_world(cases=1, task={"questions": questions, "consensus": consensus})
    reader = labeller(world)
    opened = open_form(reader)
    given = {"side": "left", "also": ["left", "right"], "lesions": 3, "contact": True}
    submit_form(reader, opened, given)
    _, root = document(world.trial, tmp_path / "odm.xml")
    [definition] = root.Study[0].MetaDataVersion
    items = {one.OID: one for one in definition.ItemDef}
    assert items["I.reading.side"].CodeListRef.CodeListOID == "CL.reading.side"
    [sides] = [one for one in definition.CodeList if one.OID == "CL.reading.side"]
    assert [one.CodedValue for one in sides.CodeListItem] == ["left", "right"]
    lesions = items["I.reading.lesions"]
    assert [(one.Comparator, one.CheckValue[0]._content) for one in lesions.RangeCheck] == [
        ("GE", "1"),
        ("LE", "20"),
    ]
    assert items["I.reading.side"].Question.TranslatedText[0]._content == "Which side?"
    types = [items[f"I.reading.{one['key']}"].DataType for one in questions]
    assert types == ["text", "text", "integer", "boolean", "float"]
    [subject] = root.ClinicalData[0].SubjectData
    [told] = answers(subject, "reading")
    assert {one["key"]: told.get(one["key"]) for one in questions} == {
        "side": "left",
        "also": "left;right",
        "lesions": "3",
        "contact": "1",
        "size_mm": None,
    }
