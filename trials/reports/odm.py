"""Readings and their forms as CDISC ODM 1.3.2 [1]_: what was asked, by the protocol, and what each reader answered.

The subject is the reader, by code: a trial here is one of readers. Results of algorithms are not in it.

References
----------
.. [1] CDISC. Specification for the Operational Data Model (ODM), version 1.3.2, 2013.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from django.utils import timezone
from odmlib.odm_1_3_2 import model as odm

from trials.domain.protocol.questions import Question, QuestionKind
from trials.domain.protocol.tasks import ContourReviewTask
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.storable import REPLACEMENT
from trials.models import ParticipantKind, ProtocolVersion, Trial
from trials.reading_tasks.registry import reading_task
from trials.reports.exports import Rows
from trials.reports.workbook import NOT_IN_XML
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.tables import form_and_closing_answers, readings_columns

BLINDING_CHECK = "blinding-check"
_BEFORE, _READING = "before", "reading"
_DATA_TYPES = {
    QuestionKind.INTEGER: "integer",
    QuestionKind.NUMBER: "float",
    QuestionKind.YES_NO: "boolean",
}
_LENGTH = {"integer": 12, "float": 20, "boolean": 5, "text": 5000}
_CODED = frozenset({QuestionKind.CHOICE, QuestionKind.LIKERT})
"""Questions with one answer of a list; several answers stand as one text."""
_END = "</ODM>"


@dataclass(frozen=True)
class _Item:
    """One column of an item group: a question, or what a reading is of."""

    name: str
    words: str
    data_type: str = "text"
    codes: tuple[tuple[str, str], ...] = ()
    low: str | None = None
    high: str | None = None

    @classmethod
    def of_question(cls, question: Question) -> "_Item":
        """Return the item of a question of a form."""
        codes = tuple((one.value, one.label) for one in question.options) if question.kind in _CODED else ()
        low, high = (
            None if one is None else format(one, "f") for one in (question.minimum, question.maximum)
        )
        data_type = _DATA_TYPES.get(question.kind, "text")
        return cls(question.key, question.label, data_type, codes, low, high)


def write_odm(trial: Trial, rows: Rows, path: Path) -> None:
    """Write the document; ``rows`` are those of :func:`~trials.selectors.tables.readings_rows`, unblinded.

    The library makes the definitions; the answers, which may be millions, are written one by one and never stand in
    memory as a document.
    """
    version = protocol_locked(trial)
    protocol = protocol_of_version(version)
    before = [_Item.of_question(one) for one in protocol.questionnaire.questions]
    asked = _reading_items(trial, protocol)
    study, definition = f"S.{trial.id}", f"MDV.{version.version}"
    document = odm.ODM(
        FileOID=f"ODM.{trial.id}",
        FileType="Snapshot",
        Granularity="All",
        CreationDateTime=timezone.now().isoformat(timespec="seconds"),
        ODMVersion="1.3.2",
        SourceSystem="Equipoise",
        SourceSystemVersion=metadata.version("equipoise"),
    )
    title = _text(protocol.title or trial.title)
    document.Study = [
        odm.Study(
            OID=study,
            GlobalVariables=odm.GlobalVariables(
                StudyName=odm.StudyName(_content=trial.slug),
                StudyDescription=odm.StudyDescription(_content=_text(protocol.summary or title)),
                ProtocolName=odm.ProtocolName(_content=title),
            ),
            MetaDataVersion=[_definition(definition, version, protocol, before, asked)],
        )
    ]
    whole = document.to_xml_string(xml_declaration=True)
    with path.open("w", encoding="utf-8", newline="\n") as sink:
        sink.write(whole.removesuffix(_END))
        data = XMLGenerator(sink, "utf-8", short_empty_elements=True)
        with _element(data, "ClinicalData", StudyOID=study, MetaDataVersionOID=definition):
            _write_subjects(data, trial, rows, before, asked)
        sink.write(_END)


def _reading_items(trial: Trial, protocol: ProtocolV1) -> list[_Item]:
    """Return what a row of the readings tells of an answer, in the order of its columns."""
    items = {
        "case": _Item("case", "Case"),
        "item": _Item("item", "Item"),
        "condition": _Item(
            "condition", "Reading condition", codes=tuple((one.key, one.label) for one in protocol.conditions)
        ),
        "repeat": _Item("repeat", "Replicate", "integer"),
        "state": _Item("state", "State of the reading"),
        "reason_code": _Item("reason_code", "Why it could not be assessed"),
        "comment": _Item("comment", "Comment"),
        "score": _Item("score", "Score", "float"),
        "decision": _Item("decision", "Decision (1 present, 0 absent)", "integer"),
        "preferred": _Item("preferred", "Whose contour was preferred"),
        "decision_s": _Item("decision_s", "Time until the decision in seconds", "float"),
    }
    task = protocol.task
    if task is not None:
        items |= {name: _Item(name, name.replace("_", " ")) for name in reading_task(task.kind).columns}
        items |= {one.key: _Item.of_question(one) for one in task.form_questions}
    if isinstance(task, ContourReviewTask):
        steps = tuple((str(number), label) for number, label in enumerate(task.acceptability, start=1))
        items["acceptability"] = _Item("acceptability", "Acceptability", codes=steps)
    return [items[name] for name in readings_columns(trial) if name in items]


def _definition(
    oid: str,
    version: ProtocolVersion,
    protocol: ProtocolV1,
    before: Sequence[_Item],
    asked: Sequence[_Item],
) -> odm.MetaDataVersion:
    definition = odm.MetaDataVersion(
        OID=oid, Name=f"Protocol version {version.version}", Description=f"SHA-256 {version.sha256}"
    )
    forms = {_READING: [protocol.task.kind if protocol.task is not None else _READING]}
    if protocol.has_blinding_check:
        forms[_READING].append(BLINDING_CHECK)
    groups = {_READING: asked}
    if before:
        forms = {_BEFORE: ["questionnaire"], **forms}
        groups = {_BEFORE: before, **groups}
    definition.Protocol = odm.Protocol(
        StudyEventRef=[
            odm.StudyEventRef(StudyEventOID=f"SE.{event}", OrderNumber=place, Mandatory="No")
            for place, event in enumerate(forms, start=1)
        ]
    )
    definition.StudyEventDef = [
        odm.StudyEventDef(
            OID=f"SE.{event}",
            Name={_BEFORE: "Before the first reading", _READING: "Reading"}[event],
            Repeating="Yes" if event == _READING else "No",
            Type="Scheduled",
            FormRef=[odm.FormRef(FormOID=f"F.{form}", Mandatory="No") for form in own],
        )
        for event, own in forms.items()
    ]
    definition.FormDef = [
        odm.FormDef(
            OID=f"F.{form}",
            Name=form,
            Repeating="No",
            ItemGroupRef=[odm.ItemGroupRef(ItemGroupOID=f"IG.{event}", Mandatory="No")],
        )
        for event, own in forms.items()
        for form in own
    ]
    definition.ItemGroupDef = [
        odm.ItemGroupDef(
            OID=f"IG.{event}",
            Name=event,
            Repeating="No",
            ItemRef=[odm.ItemRef(ItemOID=_oid(event, one), Mandatory="No") for one in items],
        )
        for event, items in groups.items()
    ]
    definition.ItemDef = [
        _item_definition(event, one, protocol.language) for event, items in groups.items() for one in items
    ]
    definition.CodeList = [
        odm.CodeList(
            OID=f"CL.{event}.{one.name}",
            Name=one.name,
            DataType="text",
            CodeListItem=[
                odm.CodeListItem(
                    CodedValue=value, Decode=odm.Decode(TranslatedText=_words(label, protocol.language))
                )
                for value, label in one.codes
            ],
        )
        for event, items in groups.items()
        for one in items
        if one.codes
    ]
    return definition


def _item_definition(event: str, item: _Item, language: str) -> odm.ItemDef:
    definition = odm.ItemDef(
        OID=_oid(event, item), Name=item.name, DataType=item.data_type, Length=_LENGTH[item.data_type]
    )
    definition.Question = odm.Question(TranslatedText=_words(item.words, language))
    definition.RangeCheck = [
        odm.RangeCheck(Comparator=comparator, SoftHard="Hard", CheckValue=[odm.CheckValue(_content=bound)])
        for comparator, bound in (("GE", item.low), ("LE", item.high))
        if bound is not None
    ]
    if item.codes:
        definition.CodeListRef = odm.CodeListRef(CodeListOID=f"CL.{event}.{item.name}")
    return definition


def _write_subjects(
    data: XMLGenerator, trial: Trial, rows: Rows, before: Sequence[_Item], asked: Sequence[_Item]
) -> None:
    by_reader: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["participant_kind"] == ParticipantKind.READER:
            by_reader.setdefault(row["participant"], []).append(row)
    told = form_and_closing_answers(trial)
    readers = trial.participants.filter(kind=ParticipantKind.READER).order_by("code")
    for reader in readers:
        answers = {one.name: told[reader.id].get(f"form_{one.name}") for one in before}
        with _element(data, "SubjectData", SubjectKey=reader.code):
            if any(value is not None for value in answers.values()):
                _write_event(data, _BEFORE, "questionnaire", before, answers)
            for number, row in enumerate(by_reader.get(reader.code, ()), start=1):
                _write_event(data, _READING, row["task"], asked, row, StudyEventRepeatKey=str(number))


def _write_event(
    data: XMLGenerator, event: str, form: str, items: Sequence[_Item], values: Mapping[str, Any], **key: str
) -> None:
    """Write one event; what was not answered has no item."""
    with (
        _element(data, "StudyEventData", StudyEventOID=f"SE.{event}", **key),
        _element(data, "FormData", FormOID=f"F.{form}"),
        _element(data, "ItemGroupData", ItemGroupOID=f"IG.{event}"),
    ):
        for one in items:
            value = values.get(one.name)
            if value is not None and value != "":
                told = AttributesImpl({"ItemOID": _oid(event, one), "Value": _text(value)})
                data.startElement("ItemData", told)
                data.endElement("ItemData")


@contextmanager
def _element(data: XMLGenerator, name: str, **attributes: str) -> Iterator[None]:
    data.startElement(name, AttributesImpl(attributes))
    yield
    data.endElement(name)


def _oid(event: str, item: _Item) -> str:
    return f"I.{event}.{item.name}"


def _words(words: str, language: str) -> list[odm.TranslatedText]:
    return [odm.TranslatedText(_content=_text(words), lang=language)]


def _text(value: Any) -> str:
    """Return a value as XML may hold it: U+FFFD stands for each character that it cannot."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return NOT_IN_XML.sub(REPLACEMENT, str(value))
