"""De-identification by construction: nothing of a header goes further but what this policy lists.

The reading code hands over pixel arrays and a short technical description; names, dates, UIDs and free text
stay in the sender's files. There is therefore no list of attributes to remove, and none that could be
forgotten.
"""

import hmac
import re
from dataclasses import dataclass, field, replace
from hashlib import sha256

from equipoise.imaging.volume import SeriesDescription

MIN_SECRET_BYTES = 16

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+\\-]{0,31}")
"""What a kernel's or device's name may look like; anything longer or odder may hide a person and is
dropped."""


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
    refuse_burned_in : bool
        Refuse images whose header says that annotations are burned into the pixels.
    """

    patient_secret: bytes = field(repr=False)
    keep_kernel: bool = True
    keep_device: bool = False
    refuse_burned_in: bool = True

    def __post_init__(self) -> None:
        if len(self.patient_secret) < MIN_SECRET_BYTES:
            raise ValueError(f"patient_secret must have at least {MIN_SECRET_BYTES} bytes.")

    def patient_key(self, original_id: str) -> str:
        """Return the key of a patient; spaces around the id and its case do not matter."""
        return hmac.new(self.patient_secret, original_id.strip().casefold().encode(), sha256).hexdigest()

    def reduced(self, description: SeriesDescription) -> SeriesDescription:
        """Return the part of a description that may be kept."""
        return replace(
            description,
            kernel=_plain(description.kernel) if self.keep_kernel else None,
            manufacturer=_plain(description.manufacturer) if self.keep_device else None,
            model=_plain(description.model) if self.keep_device else None,
        )


def _plain(text: str | None) -> str | None:
    return text if text and _PLAIN.fullmatch(text) else None
