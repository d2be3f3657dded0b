"""What DICOM PS3.15 Annex E says of each attribute: the Basic Application Level Confidentiality Profile.

The table is that of ``dicom-anonymizer`` (Kitware), generated from the standard's own; the options that a trial can
choose are few and stand here. What the table does not name is judged by kind in
:mod:`equipoise.imaging.confidentiality`.
"""

from enum import StrEnum
from functools import cache

EDITION = "DICOM PS3.15-2026c, table E.1-1"
"""Of which edition the table is."""


class Action(StrEnum):
    """What is done with an attribute (PS3.15 table E.1-1a). Where the table leaves a choice that depends on the
    object, the last code is taken: a value too many is cleaned, an object that nobody can open helps nobody."""

    REPLACE = "D"
    """By a value that means nothing."""
    EMPTY = "Z"
    REMOVE = "X"
    KEEP = "K"
    CLEAN = "C"
    """Kept as far as it is known to identify nobody."""
    MAP_UID = "U"


class MethodCode(StrEnum):
    """What was applied, by DICOM's code (PS3.16 CID 7050)."""

    BASIC = "113100"
    CLEAN_DESCRIPTORS = "113105"
    MODIFIED_DATES = "113107"
    PATIENT_CHARACTERISTICS = "113108"
    DEVICE_IDENTITY = "113109"


METHOD_MEANINGS = {
    MethodCode.BASIC: "Basic Application Confidentiality Profile",
    MethodCode.CLEAN_DESCRIPTORS: "Clean Descriptors Option",
    MethodCode.MODIFIED_DATES: "Retain Longitudinal Temporal Information Modified Dates Option",
    MethodCode.PATIENT_CHARACTERISTICS: "Retain Patient Characteristics Option",
    MethodCode.DEVICE_IDENTITY: "Retain Device Identity Option",
}

DESCRIPTORS = frozenset(
    {
        "AcquisitionDeviceProcessingDescription",
        "AcquisitionProtocolDescription",
        "ContrastBolusAgent",
        "DerivationDescription",
        "PerformedProcedureStepDescription",
        "ProtocolName",
        "RequestedProcedureDescription",
        "ScheduledProcedureStepDescription",
        "SeriesDescription",
        "StudyDescription",
    }
)
"""Kept word by word under the clean descriptors option; other free text is not kept under any."""

PATIENT_CHARACTERISTICS = frozenset({"PatientAge", "PatientSex", "PatientSize", "PatientWeight"})
"""Kept under that option. The standard would also let stay what no reader study needs (ethnic group, smoking)."""

DEVICE_IDENTITY = frozenset(
    {
        "DetectorID",
        "DeviceSerialNumber",
        "GantryID",
        "GeneratorID",
        "Manufacturer",
        "ManufacturerModelName",
        "PlateID",
        "SoftwareVersions",
        "StationName",
    }
)
"""Kept under that option. Maker, model and version are not in the standard's table; here they go with the rest."""

_CODES = {
    "D_TAGS": Action.REPLACE,
    "Z_TAGS": Action.EMPTY,
    "X_TAGS": Action.REMOVE,
    "U_TAGS": Action.MAP_UID,
    "Z_D_TAGS": Action.REPLACE,
    "X_Z_TAGS": Action.EMPTY,
    "X_D_TAGS": Action.REPLACE,
    "X_Z_D_TAGS": Action.REPLACE,
    "X_Z_U_STAR_TAGS": Action.CLEAN,
}
"""The table's lists by code; ``X/Z/U*`` are sequences of references, whose UIDs are mapped inside."""

_GROUP_BITS = 16
_SINGLE_TAG = 2
"""Numbers of a plain entry; the four-number ones stand for whole groups, which are removed by number."""


@cache
def profile_actions() -> dict[int, Action]:
    """Return the action of every attribute that the profile names, by tag."""
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c

    return {
        (entry[0] << _GROUP_BITS) + entry[1]: action
        for name, action in _CODES.items()
        for entry in getattr(dicomfields_2026c, name)
        if len(entry) == _SINGLE_TAG
    }
