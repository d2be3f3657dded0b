"""Free text that may stay: words of imaging alone, names of structures alone, nothing that also names the patient.

Free text is never searched for names, which no list holds all of; only what is known to be harmless is let through.
"""

import re
from collections.abc import Iterable


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_IMAGING_WORDS = _words(
    """
    3d 2d 4d abd abdomen abdominal adc angio anterior ap arterial artery attenuation average avg axial
    bed body bone bones brain breast breath breathhold bronchus bw cap cardiac cbct cervical chest cine contrast
    coronal corrected correction corr ct cta delayed diffusion dixon dose dual dwi dynamic echo ecg enhanced
    epi exp expiration expiratory fast fat fbp fdg filter flair fov free full gated gd gre hand hd head heart
    helical hip hr hrct image images in inspiration inspiratory ir iterative kernel knee kub kv kvp
    lat lateral left legs liver localizer localiser lower low lumbar lung lungs ma mar mdp mediastinum mip
    mm mpr mr mra mri mrcp ms nac native neck nm non oblique opp out pa pelvis perfusion pet phase plain
    planar planning pons portal post posterior pre prostate protocol proton pt pulmonary recon reconstruction
    resampled rib right routine rt sag sagittal scan scintigraphy scout sc sinus skull slice slices soft spect spin
    spine spiral standard static std stir supine prone survey t1 t2 t1w t2w tc99m
    thick thin thoracic thorax tissue tof topogram tra transversal transverse tse
    upper venous view views volume vol w wb weighted whole wholebody wo with without w/o window xray
    """
)
"""Words of protocol and series names. A word that could be somebody's name does not belong here."""

_NUMBER = re.compile(
    r"\d{1,2}|\d{1,3}\.\d{1,3}|\d{1,3}(\.\d{1,3})?(mm|cm|kv|kvp|ma|s|ms|min|hu|mbq|deg)", re.IGNORECASE
)
"""Two digits, or three with a fraction or a unit: no date, no telephone or accession number."""
_KERNEL = re.compile(r"[BHIQ][a-z]?\d{2}[a-z]?", re.IGNORECASE)
_BETWEEN_CHUNKS = re.compile(r"[\s,;:()\[\]]+")
_WITHIN_CHUNKS = re.compile(r"[^\w]+|_")

_STRUCTURE_WORDS = _words(
    """
    aorta bladder body bone bowel brain brainstem breast bronchus carina cervix chiasm cochlea colon cord couch ctv
    duodenum esophagus external eye femur femoral gland gtv heart hilum humerus igtv itv kidney larynx lens lesion
    liver lobe lung lungs mandible medulla metastasis mets node nodes nodule oesophagus optic nerve oral cavity organ
    ovary pancreas parotid penile bulb pharynx pituitary plexus brachial primary prostate ptv rectum reference
    ribs sacrum skin skull spinal spine spleen sternum stomach structure submandibular target testis thecal thyroid
    tongue trachea tumor tumour ureter uterus vein artery pulmonary vessel vena cava segment
    anterior posterior left right l r lt rt sup inf med lat upper lower middle dose iso ai auto manual expert model
    reader observer final minus plus total all in out and of
    """
)
_STRUCTURE_NUMBER = re.compile(r"[a-z]?\d{1,2}[a-z]?|v\d{1,2}", re.IGNORECASE)
_STRUCTURE_SEPARATORS = re.compile(r"[\s_.,+/()\-]+")
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Z])")
_MAX_STRUCTURE_CHARACTERS = 64

_TECHNICAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+\\-]{0,31}")
"""What a kernel's, device's or method's name may look like; anything longer or odder may hide a person."""

_MIN_KNOWN_CHARACTERS = 3
"""Shorter parts of names are in half of all words."""


def imaging_words(text: str) -> str:
    """Return the words of a description that are words of imaging or small numbers, in their order."""
    chunks = (chunk.strip(".") for chunk in _BETWEEN_CHUNKS.split(text))
    return " ".join(word for chunk in chunks for word in _imaging_words_in(chunk))


def is_structure_name(name: str) -> bool:
    """Say whether every part of a region's name is a word for structures in the body, or a number of two digits."""
    if len(name) > _MAX_STRUCTURE_CHARACTERS:
        return False
    parts = [part for part in _STRUCTURE_SEPARATORS.split(name) if part]
    pieces = [piece for part in parts for piece in _pieces(part)]
    return bool(pieces) and all(
        piece.casefold() in _STRUCTURE_WORDS or _STRUCTURE_NUMBER.fullmatch(piece) for piece in pieces
    )


def technical_word(text: str | None) -> str | None:
    """Return the text if it looks like the name of a kernel, device or method, otherwise None."""
    return text if text and _TECHNICAL.fullmatch(text) else None


class KnownIdentifiers:
    """What a header itself says about who the patient is, so that it is found again in text that would be kept.

    Parameters
    ----------
    texts : iterable of str
        Names, numbers and addresses as they stand in the header.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        parts = {part.casefold() for text in texts for part in re.split(r"[\W_]+", text)}
        self._parts = frozenset(part for part in parts if len(part) >= _MIN_KNOWN_CHARACTERS)

    def named_in(self, text: str) -> bool:
        """Say whether any of them stands in a text, also within a word."""
        folded = text.casefold()
        return any(part in folded for part in self._parts)


def _imaging_words_in(chunk: str) -> list[str]:
    """Take a chunk whole if it is known, else its known words; numbers only whole, as parts they may be of a date."""
    if chunk.casefold() in _IMAGING_WORDS or _NUMBER.fullmatch(chunk) or _KERNEL.fullmatch(chunk):
        return [chunk]
    return [word for word in _WITHIN_CHUNKS.split(chunk) if word.casefold() in _IMAGING_WORDS]


def _pieces(part: str) -> list[str]:
    """Split a word as it is written in one (``LungLeft``, ``GTV1``), unless it is known whole."""
    if part.casefold() in _STRUCTURE_WORDS or _STRUCTURE_NUMBER.fullmatch(part):
        return [part]
    return [piece for piece in _CAMEL_CASE.split(part) if piece]
