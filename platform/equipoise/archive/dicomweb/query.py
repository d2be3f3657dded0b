"""QIDO-RS: what there is, as DICOM JSON, and which of it a search means. Nothing here reads a file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from equipoise.archive.dicomweb.errors import DicomwebSyntaxError
from equipoise.archive.dicomweb.study import InstanceRef, Series, Study
from equipoise.imaging.dicom_image import NEUTRAL_DATE, NEUTRAL_TIME

Json = dict[str, Any]

MAX_RESULTS = 1000
"""Of one answer; a client asks for the next by ``offset``."""

MAX_MATCHES = 50
MAX_VALUE_CHARACTERS = 64 * 200
"""A list of UIDs is the longest that anybody sends."""

_CONTROL = frozenset(
    {"limit", "offset", "includefield", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"}
)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_LARGEST = 10**9


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it was asked: values by attribute, and which part of what is found."""

    matches: Mapping[str, str]
    """By tag, eight hexadecimal digits."""
    offset: int = 0
    limit: int = MAX_RESULTS

    def value(self, keyword: str) -> str | None:
        """Return what an attribute must be, None where nothing is asked of it."""
        return self.matches.get(_tag_of(keyword))


def search_of(query: Iterable[tuple[str, str]]) -> Search:
    """Read the parameters of a search.

    Every other attribute of ours that a client may wish to see is in the answer anyway, so ``includefield`` is read
    and asks for nothing more.

    Raises
    ------
    DicomwebSyntaxError
        If a name is no DICOM attribute, or a number is none.
    """
    matches: dict[str, str] = {}
    window = {"offset": 0, "limit": MAX_RESULTS}
    for name, value in query:
        if name in window:
            window[name] = _number(name, value)
        elif name.lower() not in _CONTROL:
            matches[_attribute(name)] = value[:MAX_VALUE_CHARACTERS]
    if len(matches) > MAX_MATCHES:
        raise DicomwebSyntaxError(f"A search names at most {MAX_MATCHES} attributes.")
    return Search(matches, window["offset"], min(window["limit"], MAX_RESULTS))


def studies_found(studies: Iterable[Study], search: Search) -> Iterator[Json]:
    """Yield the studies that a search means."""
    return _found((_study(study) for study in studies), search)


def series_found(studies: Iterable[Study], search: Search) -> Iterator[Json]:
    """Yield the series that a search means, each with its study."""
    return _found((_study(study) | _series(series) for study in studies for series in study.series), search)


def instances_found(
    studies: Iterable[Study], search: Search, *, series_uid: str | None = None
) -> Iterator[Json]:
    """Yield the instances that a search means, each with its series and study."""

    def rows() -> Iterator[Json]:
        for study in studies:
            for series in study.series:
                if series_uid is None or series.uid == series_uid:
                    above = _study(study) | _series(series)
                    for ref in series.instances():
                        yield above | _instance(series, ref)

    return _found(rows(), search)


def _found(rows: Iterable[Json], search: Search) -> Iterator[Json]:
    wanted = [(tag, value) for tag, value in search.matches.items() if value not in ("", "*")]
    matching = (row for row in rows if all(_matches(row.get(tag), value) for tag, value in wanted))
    return islice(matching, search.offset, search.offset + search.limit)


def _matches(element: Json | None, wanted: str) -> bool:
    """Say whether an attribute is what a search asks: one of several, a range of dates, or a pattern."""
    values = [_text(value) for value in (element or {}).get("Value", [])]
    vr = (element or {}).get("vr", "")
    if vr in ("DA", "TM", "DT") and "-" in wanted:
        low, _, high = wanted.partition("-")
        return any((not low or low <= value) and (not high or value <= high) for value in values)
    asked = re.split(r"[,\\]", wanted) if vr in ("UI", "CS", "IS") else [wanted]
    if vr == "UI":
        return any(value in asked for value in values)
    return any(fnmatchcase(value.casefold(), _pattern(one)) for value in values for one in asked)


def _pattern(wanted: str) -> str:
    """Return DICOM's pattern (* and ?) as fnmatch's, which knows brackets too."""
    return wanted.strip().casefold().replace("[", "[[]")


def _text(value: Any) -> str:
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) > _LARGEST:
        raise DicomwebSyntaxError(f"'{name}' must be a whole number, not below 0.")
    return int(value)


def _attribute(name: str) -> str:
    """Return the tag that a parameter names: by keyword or by eight digits; of a sequence's path, the last."""
    last = name.rpartition(".")[2]
    if _TAG.fullmatch(last) and keyword_for_tag(int(last, 16)):
        return last.upper()
    if (tag := tag_for_keyword(last)) is not None:
        return f"{tag:08X}"
    raise DicomwebSyntaxError("A search names attributes by keyword or by eight hexadecimal digits.")


def _tag_of(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return f"{tag:08X}"


# ---------------------------------------------------------------- rows


def _row(values: Mapping[str, Any]) -> Json:
    row: Json = {}
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        vr = dictionary_VR(tag)
        listed: Sequence[Any] = value if isinstance(value, list) else [value]
        listed = [one for one in listed if one not in ("", None)]
        if vr == "PN":
            listed = [{"Alphabetic": one} for one in listed]
        row[f"{tag:08X}"] = {"vr": vr, "Value": listed} if listed else {"vr": vr}
    return row


def _study(study: Study) -> Json:
    day = study.facts.study_date
    return _row(
        {
            "StudyDate": day.strftime("%Y%m%d") if day else NEUTRAL_DATE,
            "StudyTime": NEUTRAL_TIME,
            "AccessionNumber": "",
            "InstanceAvailability": "ONLINE",
            "ModalitiesInStudy": sorted({series.modality for series in study.series}),
            "ReferringPhysicianName": "",
            "StudyDescription": "",
            "PatientName": study.code,
            "PatientID": study.code,
            "PatientBirthDate": "",
            "PatientSex": study.facts.patient_sex or "",
            "StudyInstanceUID": study.uid,
            "StudyID": "",
            "NumberOfStudyRelatedSeries": len(study.series),
            "NumberOfStudyRelatedInstances": sum(series.instance_count for series in study.series),
        }
    )


def _series(series: Series) -> Json:
    return _row(
        {
            "Modality": series.modality,
            "SeriesDescription": series.description,
            "SeriesInstanceUID": series.uid,
            "SeriesNumber": series.number,
            "NumberOfSeriesRelatedInstances": series.instance_count,
        }
    )


def _instance(series: Series, ref: InstanceRef) -> Json:
    values: dict[str, Any] = {
        "SOPClassUID": series.sop_class_uid,
        "SOPInstanceUID": ref.uid,
        "InstanceNumber": ref.index + 1,
    }
    if series.size_yx is not None:
        values |= {"Rows": series.size_yx[0], "Columns": series.size_yx[1]}
    if ref.frame_count is not None:
        values["NumberOfFrames"] = ref.frame_count
    if series.sop_class_uid and series.size_yx is not None and series.modality != "SEG":
        values["BitsAllocated"] = 16
    return _row(values)
