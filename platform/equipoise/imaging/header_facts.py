"""Facts about the patient and the day that a header tells: read into memory, kept only where a trial says so."""

import re
from datetime import date, datetime
from typing import Any

from equipoise.imaging.dicom_header import DicomHeader

_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.1775, "M": 12.0, "Y": 1.0}
SEXES = ("F", "M", "O")
"""The defined terms of Patient's Sex; any other word is dropped."""

AGE_CAP_YEARS = 90.0
"""Older patients are told as of this age: so few live that the number itself would identify."""

_LARGEST_SIZE_M, _LARGEST_WEIGHT_KG = 3.0, 650.0
"""Beyond these a number is a slip of the keyboard or of the unit, or something else altogether."""


def header_facts(header: DicomHeader) -> dict[str, Any]:
    """Return the fields of :class:`~equipoise.imaging.volume.SeriesDescription` that speak of patient and day."""
    sex = header.text("PatientSex").upper()
    return {
        "patient_sex": sex if sex in SEXES else None,
        "patient_age_years": age_years(header.text("PatientAge")),
        "patient_size_m": _within(header.number("PatientSize"), _LARGEST_SIZE_M),
        "patient_weight_kg": _within(header.number("PatientWeight"), _LARGEST_WEIGHT_KG),
        "label": header.text("SeriesDescription") or None,
        "study_date": dicom_date(header.text("StudyDate")),
    }


def dicom_date(text: str) -> date | None:
    """Return the day of DICOM's eight digits (or of the older form with dots), None where they are none."""
    try:
        return datetime.strptime(text.strip().replace(".", "")[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def age_years(text: str) -> float | None:
    """Return DICOM's age string in years, None where it is none."""
    found = _AGE.fullmatch(text.upper())
    return round(int(found[1]) / _PER_YEAR[found[2]], 2) if found else None


def _within(value: float | None, largest: float) -> float | None:
    return value if value is not None and 0 < value <= largest else None
