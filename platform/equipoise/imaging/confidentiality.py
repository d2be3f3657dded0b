"""A DICOM data set without what identifies the patient: PS3.15 Annex E, Basic profile with a trial's options.

The profile's table decides on the attributes that it names. All others stay only if their kind cannot hold a person:
numbers that are numbers, coded words, codes that a public scheme defines, and a short list of technical text. Text
that stays is held against everything that the header itself says about the patient. So neither a new attribute nor a
private one nor a value in the wrong place is let through for want of a rule.

Two things are not done here. Nothing is looked for in the pixels (:mod:`equipoise.imaging.burned_in`); and nothing is
measured in them: a face can be made from the slices of a head.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from equipoise.imaging.confidentiality_table import (
    DESCRIPTORS,
    DEVICE_IDENTITY,
    EDITION,
    METHOD_MEANINGS,
    PATIENT_CHARACTERISTICS,
    Action,
    MethodCode,
    profile_actions,
)
from equipoise.imaging.dicom_header import DAMAGE, quiet_pydicom
from equipoise.imaging.dicom_image import IMPLEMENTATION_CLASS_UID
from equipoise.imaging.header_facts import AGE_CAP_YEARS, SEXES, age_years, dicom_date
from equipoise.imaging.plain_text import KnownIdentifiers, imaging_words, is_structure_name, technical_word

DUMMY_TEXT = "REMOVED"
"""Stands where an object must have some text."""

DUMMY_DATE, DUMMY_TIME = "20000101", "000000"
"""Stand where an object must have a day or a time."""

_TECHNICAL_TEXT = frozenset(
    {
        "AttenuationCorrectionMethod",
        "CollimatorGridName",
        "ConvolutionKernel",
        "FilterMaterial",
        "FilterType",
        "PulseSequenceName",
        "ReconstructionMethod",
        "RescaleType",
        "ScatterCorrectionMethod",
        "SegmentAlgorithmName",
        "SequenceName",
        "StackID",
    }
)
"""Text that stays if it looks like a technical name, because images cannot be understood without it."""

_LOOKUP_TABLES = frozenset(
    {"LUTData", *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue"))}
)
"""The binary attributes beside pixels that stay."""

_REGION_NAMES = {"ROIName": "Region", "SegmentLabel": "Segment"}
"""Names of structures, and the word that stands for one that says too much, with the structure's number."""

_REGION_NUMBERS = {"ROIName": "ROINumber", "SegmentLabel": "SegmentNumber"}

_WHO_KEYWORDS = ("AccessionNumber", "StudyID", "InstitutionName", "InstitutionAddress")
_WHO_GROUPS = (0x0010, 0x0032, 0x0038)
"""Groups that speak of patient, request and visit."""
_WHO_TEXT_VRS = frozenset({"AE", "LO", "LT", "SH", "ST", "UC", "UT"})

_NUMBER_VRS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"})
_DECIMAL_VRS = frozenset({"DS", "IS"})
_DATE_VRS = frozenset({"DA", "DT", "TM"})
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW"})
_TEXT_VRS = frozenset({"LO", "SH"})

_CODED_WORD = re.compile(r"[A-Z0-9 _]{0,16}")
_DECIMAL = re.compile(r"[ 0-9+\-.eE]{0,16}")
_TIME = re.compile(r"[0-9:.]{2,16}")
_OFFSET = re.compile(r"[+-]\d{4}$")

_CODE_KEYWORDS = ("CodeValue", "LongCodeValue", "URNCodeValue")
_CODE_FORMS = {
    "SCT": re.compile(r"\d{6,18}"),
    "SRT": re.compile(r"[A-Z][0-9A-Z]?-[0-9A-F]{4,6}"),
    "SNM3": re.compile(r"[A-Z][0-9A-Z]?-[0-9A-F]{4,6}"),
    "DCM": re.compile(r"\d{6}"),
    "FMA": re.compile(r"\d{4,6}"),
    "LN": re.compile(r"\d{1,5}-\d"),
}
"""How codes of public schemes are written. A code that looks so names a concept, never a person."""

_GRAPHICS_GROUPS = (*range(0x5000, 0x5100), *range(0x6000, 0x6100))
"""Curves and overlays: drawings and words over the image."""

_TAGS_REMEMBERED = 8192
"""More than the standard has; a hostile file makes up no more than these."""

_PATIENT_GROUP = 0x0010
_PIXEL_DATA = Tag("PixelData")
_BYTE_BITS = 8

MOST_ITEMS = 5000
"""Of one sequence, those within its items included, that are listed by what the profile asks: a structure set of a
thousand slices has fewer; files made to keep a reader busy have more."""
_ITEM_TAG = b"\xfe\xff\x00\xe0"
"""How an item begins, little endian."""


@dataclass(frozen=True, slots=True)
class CleaningProfile:
    """What may stay, and what stands for the rest.

    Parameters
    ----------
    map_uid : callable
        From an original UID to the one that stands for it, consistently.
    patient_code : str
        Stands for the patient's name and id.
    shift : timedelta, optional
        How far all dates are moved into the past; without it they are removed.
    clean_descriptors, keep_patient_characteristics, keep_device : bool
        Options of the profile.
    keeps_region : callable
        Which names of structures may stay; by default those made of plain words for structures.
    """

    map_uid: Callable[[str], str] = field(repr=False)
    patient_code: str = ""
    shift: timedelta | None = field(default=None, repr=False)
    clean_descriptors: bool = False
    keep_patient_characteristics: bool = False
    keep_device: bool = False
    keeps_region: Callable[[str], bool] = field(default=is_structure_name, repr=False)

    def methods(self) -> tuple[MethodCode, ...]:
        """Return the codes of what is applied."""
        chosen = {
            MethodCode.CLEAN_DESCRIPTORS: self.clean_descriptors,
            MethodCode.MODIFIED_DATES: self.shift is not None,
            MethodCode.PATIENT_CHARACTERISTICS: self.keep_patient_characteristics,
            MethodCode.DEVICE_IDENTITY: self.keep_device,
        }
        return (MethodCode.BASIC, *(code for code, is_chosen in chosen.items() if is_chosen))


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """What was done with one attribute. Its value is not told: a list of what was removed must not keep it."""

    tag: str
    """With the sequences that it lies in, such as ``(0040,0275).(0040,0007)``; items are not numbered."""
    keyword: str
    """Empty for private and unknown attributes."""
    vr: str
    action: Action


@dataclass(frozen=True, slots=True)
class CleanedDataset:
    """A data set that may be kept, and what was changed in it."""

    dataset: FileDataset = field(repr=False)
    changes: tuple[AttributeChange, ...]


def clean_dataset(dataset: Dataset, profile: CleaningProfile) -> CleanedDataset:
    """Return a cleaned copy, explicit VR little endian and uncompressed, with a file header of its own.

    Compressed pixels are decoded (their streams have room for comments), bits above those that a pixel uses are
    cleared and bytes behind the last pixel cut off. What was changed is told without values.

    Raises
    ------
    Exception
        What pydicom raises where the data set is damaged (:data:`~equipoise.imaging.dicom_header.DAMAGE`) or its
        pixels cannot be decoded.
    """
    with quiet_pydicom():
        known = KnownIdentifiers(texts_about_the_patient(dataset))
        cleaner = _Cleaner(profile, known)
        kept = cleaner.cleaned(dataset, path="")
        _put_plain_pixels(kept, dataset)
        _mark(kept, profile)
        return CleanedDataset(_as_file(kept, dataset), tuple(dict.fromkeys(cleaner.changes)))


def named_by_profile(dataset: Dataset, profile: CleaningProfile) -> list[AttributeChange]:
    """Return what the profile asks to be removed, replaced or cleaned of what a header holds; values are not read.

    Other attributes, which :func:`clean_dataset` judges by their values, are not told.
    """
    with quiet_pydicom():
        return list(dict.fromkeys(_named(dataset, profile, path="")))


def _named(dataset: Dataset, profile: CleaningProfile, *, path: str) -> Iterator[AttributeChange]:
    for tag, element in dataset.items():  # as they were read: iterating the data set itself parses its values
        if _is_empty(element) or tag.element == 0:
            continue
        standing = _standing(tag)
        stated = element.VR
        vr = stated if stated and stated != "UN" else standing.vr
        action = _listed_action(standing, profile)
        if action not in (None, Action.KEEP):
            yield AttributeChange(path + _written(tag), standing.keyword, vr, action)
        elif vr == "SQ" and not _has_too_many_items(element):
            try:
                items = list(dataset[tag].value or ())
            except DAMAGE:
                continue
            for item in items:
                yield from _named(item, profile, path=f"{path}{_written(tag)}.")


def _has_too_many_items(element: Any) -> bool:
    """Say whether a sequence that is still bytes holds more items, at any depth, than are looked into."""
    value = element.value
    return isinstance(value, bytes) and value.count(_ITEM_TAG) > MOST_ITEMS


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the standard says of a tag, whatever the trial's options."""

    keyword: str
    vr: str
    listed: Action | None
    """The profile's action."""
    is_of_patient: bool
    """Of the group that speaks of the patient: its dates are never kept."""


@lru_cache(maxsize=_TAGS_REMEMBERED)
def _standing(tag: BaseTag) -> _Standing:
    if tag.is_private or not dictionary_has_tag(tag) or tag.group in _GRAPHICS_GROUPS:
        return _Standing("", "UN", Action.REMOVE, is_of_patient=False)
    keyword, listed = keyword_for_tag(tag), profile_actions().get(int(tag))
    if listed is None and keyword in DEVICE_IDENTITY:
        listed = (
            Action.EMPTY
        )  # maker and model: the profile does not name them and many objects must have them
    return _Standing(keyword, str(dictionary_VR(tag)), listed, tag.group == _PATIENT_GROUP)


def _listed_action(standing: _Standing, profile: CleaningProfile) -> Action | None:
    """Return what tag and options alone decide; None where kind and value decide."""
    keyword = standing.keyword
    is_kept = (
        keyword in _REGION_NAMES
        or (profile.keep_device and keyword in DEVICE_IDENTITY)
        or (profile.keep_patient_characteristics and keyword in PATIENT_CHARACTERISTICS)
        or (profile.clean_descriptors and keyword in DESCRIPTORS)
        or (
            profile.shift is not None
            and standing.listed is not None
            and standing.vr in _DATE_VRS
            and not standing.is_of_patient
        )
    )
    return Action.CLEAN if is_kept else standing.listed


class _Cleaner:
    """Goes through a data set and its sequences, and remembers what it changed."""

    def __init__(self, profile: CleaningProfile, known: KnownIdentifiers) -> None:
        self._profile, self._known = profile, known
        self.changes: list[AttributeChange] = []

    def cleaned(self, dataset: Dataset, *, path: str) -> Dataset:
        kept = Dataset()
        for tag in sorted(dataset.keys()):
            if tag.element == 0 or (tag == _PIXEL_DATA and not path):
                continue  # lengths of groups, which nobody needs; pixels are put in afterwards
            where = path + _written(tag)
            try:
                element = dataset[tag]
            except DAMAGE:
                element = DataElement(tag, "UN", None, already_converted=True)
            action, result = self._judged(element, dataset, where)
            if result is not None:
                kept.add(result)
            if action is not Action.KEEP and not element.is_empty:
                self.changes.append(AttributeChange(where, keyword_for_tag(tag), element.VR, action))
        return kept

    def _judged(self, element: DataElement, holder: Dataset, where: str) -> tuple[Action, DataElement | None]:
        """Return what is done with an element, and what is left of it."""
        action = _listed_action(_standing(element.tag), self._profile)
        if action is None:
            return self._judged_by_kind(element, where)
        if action is Action.REMOVE:
            return action, None
        if element.VR == "SQ":
            return action, None if action is Action.EMPTY else self._sequence(element, where)
        if action is Action.MAP_UID:
            return action, self._mapped(element)
        if action is Action.CLEAN:
            return self._cleaned_element(element, holder)
        return action, _element(element, self._dummy(element) if action is Action.REPLACE else None)

    def _cleaned_element(self, element: DataElement, holder: Dataset) -> tuple[Action, DataElement | None]:
        keyword, vr = element.keyword, element.VR
        if keyword in _REGION_NAMES:
            name = self._region_name(element, holder)
            return (Action.KEEP if name == element.value else Action.CLEAN), _element(element, name)
        if vr in _DATE_VRS:
            return Action.CLEAN, _element(element, _shifted(element, self._profile.shift or timedelta()))
        if keyword in DESCRIPTORS:
            words = imaging_words(_text(element))
            return Action.CLEAN, _element(element, words if not self._known.named_in(words) else None)
        if vr == "AS":
            return Action.CLEAN, _element(element, _capped_age(_text(element)))
        if keyword == "PatientSex" and _text(element) not in SEXES:
            return Action.EMPTY, _element(element, None)
        _, kept = self._judged_by_kind(element, "")
        technical = kept is not None or technical_word(_text(element)) is not None
        if not technical or self._known.named_in(_text(element)):
            return Action.EMPTY, _element(element, None)
        return Action.KEEP, element

    def _judged_by_kind(self, element: DataElement, where: str) -> tuple[Action, DataElement | None]:
        """Decide on an attribute that the profile does not name."""
        vr, keyword = element.VR, element.keyword
        if vr == "SQ":
            return Action.KEEP, self._sequence(element, where)
        if element.is_empty:
            return Action.KEEP, element
        if vr == "UI":
            mapped = self._mapped(element)
            return (Action.KEEP if mapped.value == element.value else Action.MAP_UID), mapped
        if vr in _NUMBER_VRS or (vr == "OW" and keyword in _LOOKUP_TABLES):
            return Action.KEEP, element
        if vr in _DECIMAL_VRS and all(_DECIMAL.fullmatch(str(value)) for value in _values(element)):
            return Action.KEEP, element
        if vr == "CS" and all(_CODED_WORD.fullmatch(str(value)) for value in _values(element)):
            is_known = self._known.named_in(_text(element))
            return (Action.REMOVE, None) if is_known else (Action.KEEP, element)
        if vr in _TEXT_VRS and keyword in _TECHNICAL_TEXT:
            is_harmless = technical_word(_text(element)) and not self._known.named_in(_text(element))
            return (Action.KEEP, element) if is_harmless else (Action.REMOVE, None)
        return Action.REMOVE, None

    def _sequence(self, element: DataElement, where: str) -> DataElement:
        items = []
        for item in element.value or ():
            code = _code_of(item)
            if code is None:
                items.append(self.cleaned(item, path=f"{where}."))
                continue
            public = _public_code(*code)
            if public is not None:
                items.append(public)
            if public is None or _text_of(item, "CodeMeaning") != public.CodeMeaning:
                meaning = f"{where}.{_written(Tag('CodeMeaning'))}"
                action = Action.REMOVE if public is None else Action.REPLACE
                self.changes.append(AttributeChange(meaning, "CodeMeaning", "LO", action))
        return DataElement(element.tag, "SQ", items)

    def _mapped(self, element: DataElement) -> DataElement:
        values = [
            value if UID(str(value)).type else self._profile.map_uid(str(value))
            for value in _values(element)
            if str(value)
        ]
        return DataElement(element.tag, "UI", values[0] if len(values) == 1 else values or None)

    def _region_name(self, element: DataElement, holder: Dataset) -> str:
        name, keyword = _text(element), element.keyword
        if self._profile.keeps_region(name) and not self._known.named_in(name):
            return name
        number = _text_of(holder, _REGION_NUMBERS[keyword])
        return f"{_REGION_NAMES[keyword]} {number if number.isdecimal() else ''}".strip()

    def _dummy(self, element: DataElement) -> Any:
        if element.keyword == "PatientID":
            return self._profile.patient_code
        dummies: dict[str, Any] = {
            "DA": DUMMY_DATE,
            "TM": DUMMY_TIME,
            "DT": DUMMY_DATE + DUMMY_TIME,
            "AS": "000Y",
            "UI": None,
            "UR": "urn:removed",
        }
        if element.VR in _BINARY_VRS or element.VR == "UN":
            return b"\0\0"
        if element.VR in _NUMBER_VRS or element.VR in _DECIMAL_VRS:
            return 0
        return dummies.get(element.VR, DUMMY_TEXT)


def texts_about_the_patient(dataset: Dataset) -> Iterator[str]:
    """Yield what a header says of who the patient is, wherever it stands."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set parses its values
        standing = _standing(tag)
        stated = getattr(dataset.get_item(tag, keep_deferred=True), "VR", None)
        vr = stated if stated and stated != "UN" else standing.vr
        is_about = vr == "PN" or standing.keyword in _WHO_KEYWORDS
        is_about = is_about or (tag.group in _WHO_GROUPS and vr in _WHO_TEXT_VRS)
        if not is_about and vr != "SQ":
            continue
        try:
            element = dataset[tag]
        except DAMAGE:
            continue
        if element.VR == "SQ":
            for item in element.value or ():
                yield from texts_about_the_patient(item)
        else:
            yield _text(element)


_MARKS = (
    "PatientName",
    "PatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


def _mark(dataset: Dataset, profile: CleaningProfile) -> None:
    """Say in the data set what was done (PS3.15 E.1.1 and E.3), in elements of its own, not the sender's."""
    for keyword in _MARKS:
        dataset.pop(keyword, None)
    dataset.PatientName = dataset.PatientID = profile.patient_code
    dataset.PatientIdentityRemoved = "YES"
    methods = profile.methods()
    dataset.DeidentificationMethod = [EDITION, *(METHOD_MEANINGS[code][:64] for code in methods)]
    dataset.DeidentificationMethodCodeSequence = [
        _code(code.value, "DCM", METHOD_MEANINGS[code][:64]) for code in methods
    ]
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if profile.shift is not None else "REMOVED"


def _as_file(dataset: Dataset, source: Dataset) -> FileDataset:
    meta = FileMetaDataset()
    sop_class = source.get("SOPClassUID") or getattr(source, "file_meta", {}).get("MediaStorageSOPClassUID")
    meta.MediaStorageSOPClassUID = UID(str(sop_class or ""))
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID") or ""))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    return FileDataset("", dataset, file_meta=meta, preamble=b"\0" * 128)


def _put_plain_pixels(kept: Dataset, source: Dataset) -> None:
    """Write the pixels as they are shown: decoded, unused bits cleared, nothing behind the last one."""
    if "PixelData" not in source:
        return
    bits, stored = int(source.BitsAllocated), int(source.BitsStored)
    if bits == 1:
        count = int(source.Rows) * int(source.Columns) * max(int(source.get("NumberOfFrames") or 1), 1)
        content = source.PixelData[: (count + _BYTE_BITS - 1) // _BYTE_BITS]
    else:
        array, shown = get_decoder(source.file_meta.TransferSyntaxUID).as_array(source)
        spare = array.dtype.itemsize * _BYTE_BITS - stored
        # up to the top and back again: shifting a signed number down fills with its sign
        cleared = (array << spare) >> spare if spare > 0 else array
        content = cleared.astype(cleared.dtype.newbyteorder("<"), copy=False).tobytes()
        kept.HighBit, kept.BitsAllocated = stored - 1, array.dtype.itemsize * _BYTE_BITS
        kept.PhotometricInterpretation = str(shown["photometric_interpretation"])
        if int(shown["samples_per_pixel"]) > 1:
            kept.PlanarConfiguration = 0
    is_words = kept.BitsAllocated > _BYTE_BITS
    kept.add_new(_PIXEL_DATA, "OW" if is_words else "OB", content + b"\0" * (len(content) % 2))


def _shifted(element: DataElement, shift: timedelta) -> Any:
    """Return dates moved into the past; times of day stay; what is no date is dropped."""
    values = [_shifted_value(str(value), element.VR, shift) for value in _values(element)]
    kept = [value for value in values if value]
    return kept[0] if len(kept) == 1 else kept or None


def _shifted_value(text: str, vr: str, shift: timedelta) -> str | None:
    if vr == "TM":
        return text if _TIME.fullmatch(text) else None
    day = dicom_date(text)
    if day is None or day.toordinal() <= shift.days:
        return None
    moved = f"{day - shift:%Y%m%d}"
    rest = text.strip()[8:] if vr == "DT" else ""
    return moved + rest if not rest or _TIME.fullmatch(_OFFSET.sub("", rest)) else moved


def _capped_age(text: str) -> str | None:
    years = age_years(text)
    if years is None:
        return None
    return text if years < AGE_CAP_YEARS else f"{AGE_CAP_YEARS:03.0f}Y"


def _is_empty(element: Any) -> bool:
    return element is None or element.value in (None, b"", "")


def _code_of(item: Dataset) -> tuple[str, str] | None:
    """Return scheme and value if an item is a code."""
    value = next((_text_of(item, keyword) for keyword in _CODE_KEYWORDS if keyword in item), None)
    return None if value is None else (_text_of(item, "CodingSchemeDesignator"), value)


def _public_code(scheme: str, value: str) -> Dataset | None:
    """Return a code as its scheme words it, None if no public scheme has it."""
    meaning = _meanings().get((scheme, value))
    if meaning is None:
        form = _CODE_FORMS.get(scheme)
        if form is None or not form.fullmatch(value):
            return None
        meaning = value
    return _code(value, scheme, meaning[:64])


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """Return the meanings of the codes that DICOM's context groups use, by scheme and value."""
    from pydicom.sr._concepts_dict import concepts

    schemes: Any = concepts
    return {
        (scheme, value): meaning
        for scheme, listed in schemes.items()
        for codes in listed.values()
        for value, (meaning, _) in codes.items()
    }


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _element(element: DataElement, value: Any) -> DataElement:
    return DataElement(element.tag, element.VR, value if value is not None else element.empty_value)


def _values(element: DataElement) -> list[Any]:
    value = element.value
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _text(element: DataElement) -> str:
    return "\\".join(str(value) for value in _values(element) if value is not None).strip()


def _text_of(dataset: Dataset, keyword: str) -> str:
    try:
        return _text(dataset[keyword])
    except DAMAGE:  # a key that is not there among them
        return ""


def _written(tag: BaseTag) -> str:
    return f"({tag.group:04x},{tag.element:04x})"
