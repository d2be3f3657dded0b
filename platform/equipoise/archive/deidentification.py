"""De-identification by construction: nothing of a header goes further but what this policy lists.

The reading code hands over pixel arrays and a short description; names, dates, UIDs and free text stay in the
sender's files. There is therefore no list of attributes to remove, and none that could be forgotten. What a trial
may choose to keep follows the options of DICOM PS3.15 Annex E.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from equipoise.imaging.confidentiality import CleaningProfile
from equipoise.imaging.confidentiality_table import EDITION
from equipoise.imaging.header_facts import AGE_CAP_YEARS
from equipoise.imaging.plain_text import imaging_words, is_structure_name, technical_word
from equipoise.imaging.volume import SeriesDescription

MIN_SECRET_BYTES = 16

SHIFT_DAYS = (366, 3653)
"""Fewest and most days that a patient's dates are moved into the past: a year to ten."""


@dataclass(frozen=True, slots=True)
class ImageUids:
    """Under which UIDs an image is known outside: never those it came with."""

    study: str
    series: str
    frame_of_reference: str


def derived_uids(*, trial_id: UUID, patient_key: str, pixel_hash: str) -> ImageUids:
    """Return UIDs for an image that came without any: the same image of a trial always gets the same ones."""

    def uid(kind: str, name: str) -> str:
        return _uid_of(sha256(f"{kind}/{trial_id}/{name}".encode()).digest())

    return ImageUids(
        study=uid("study", patient_key or pixel_hash),
        series=uid("series", pixel_hash),
        frame_of_reference=uid("frame-of-reference", pixel_hash),
    )


@dataclass(frozen=True, slots=True)
class DeidentificationPolicy:
    """What may outlive ingestion, decided per trial.

    Parameters
    ----------
    patient_secret : bytes
        The trial's own, at least 16 random bytes, kept by the caller: patient keys are HMACs under it, so
        that they recognise a patient within the trial and nowhere else.
    keep_kernel, keep_device : bool
        Reconstruction kernel (a covariate of many analyses); manufacturer and model (off by default).
    keep_patient_characteristics : bool
        Sex, age, size and weight.
    clean_descriptors : bool
        Keep descriptions as far as they are words of imaging.
    shift_dates : bool
        Keep dates, all of a patient's moved by the same number of days; without it no date is kept.
    keep_originals : bool
        Keep the sender's DICOM files, cleaned by the same options.
    refuse_burned_in : bool
        Refuse images that may show who the patient is: by their header's word, or because something in the pixels
        of a planar image looks like writing. Otherwise they come in and are to be looked at.
    """

    patient_secret: bytes = field(repr=False)
    keep_kernel: bool = True
    keep_device: bool = False
    keep_patient_characteristics: bool = False
    clean_descriptors: bool = False
    shift_dates: bool = False
    keep_originals: bool = False
    refuse_burned_in: bool = True

    def __post_init__(self) -> None:
        if len(self.patient_secret) < MIN_SECRET_BYTES:
            raise ValueError(f"patient_secret must have at least {MIN_SECRET_BYTES} bytes.")

    def patient_key(self, original_id: str) -> str:
        """Return the key of a patient; spaces around the id and its case do not matter."""
        return hmac.new(self.patient_secret, _folded(original_id), sha256).hexdigest()

    def mapped_uid(self, original_uid: str) -> str:
        """Return the UID that stands for one in this trial: always the same here, another in any other trial."""
        return _uid_of(self._keyed("uid", original_uid.strip(" \0").encode()))

    def date_shift(self, original_id: str) -> timedelta:
        """Return how far all dates of a patient are moved into the past: whole days, so that times of day stay."""
        fewest, most = SHIFT_DAYS
        number = int.from_bytes(self._keyed("date", _folded(original_id)), "big")
        return timedelta(days=fewest + number % (most - fewest + 1))

    def shifted(self, day: date | None, *, original_id: str) -> date | None:
        """Return a patient's date moved by their shift, None where dates are not kept or it leaves the calendar."""
        if day is None or not self.shift_dates:
            return None
        shift = self.date_shift(original_id)
        return day - shift if day - date.min > shift else None

    def reduced(self, description: SeriesDescription, *, original_id: str) -> SeriesDescription:
        """Return the part of a description that may be kept."""
        age = description.patient_age_years
        kept = replace(
            description,
            kernel=technical_word(description.kernel) if self.keep_kernel else None,
            manufacturer=technical_word(description.manufacturer) if self.keep_device else None,
            model=technical_word(description.model) if self.keep_device else None,
            patient_age_years=min(age, AGE_CAP_YEARS) if age is not None else None,
            label=(imaging_words(description.label or "") or None) if self.clean_descriptors else None,
            study_date=self.shifted(description.study_date, original_id=original_id),
        )
        if self.keep_patient_characteristics:
            return kept
        return replace(
            kept, patient_sex=None, patient_age_years=None, patient_size_m=None, patient_weight_kg=None
        )

    def cleaning(
        self, original_id: str, *, patient_code: str, keeps_region: Callable[[str], bool] = is_structure_name
    ) -> CleaningProfile:
        """Return how a patient's DICOM files are cleaned."""
        return CleaningProfile(
            map_uid=self.mapped_uid,
            patient_code=patient_code,
            shift=self.date_shift(original_id) if self.shift_dates else None,
            clean_descriptors=self.clean_descriptors,
            keep_patient_characteristics=self.keep_patient_characteristics,
            keep_device=self.keep_device,
            keeps_region=keeps_region,
        )

    def as_json(self) -> dict[str, Any]:
        """Return what was chosen, for the record of a run; never the secret."""
        return {
            "table": EDITION,
            "methods": [code.value for code in self.cleaning("", patient_code="").methods()],
            "kernel": self.keep_kernel,
            "originals": self.keep_originals,
            "burned_in": "refuse" if self.refuse_burned_in else "review",
        }

    def _keyed(self, purpose: str, message: bytes) -> bytes:
        """Return an HMAC under the trial's secret that no other purpose's message can have."""
        return hmac.new(self.patient_secret, purpose.encode() + b"\0" + message, sha256).digest()


def _folded(original_id: str) -> bytes:
    return original_id.strip().casefold().encode()


def _uid_of(digest: bytes) -> str:
    """Return a digest as a UID under 2.25, the root of UUIDs (DICOM PS3.5 B.2)."""
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"
