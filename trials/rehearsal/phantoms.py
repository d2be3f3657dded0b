"""Phantom patients as a clinic would send them: CT and structure set in DICOM, the algorithm's mask as a file.

Each patient's folder holds the CT series, an RTSTRUCT with ``GTV-1`` as a simulated expert drew it, and
``<patient>_algorithm.nrrd`` as a simulated algorithm drew it.
"""

import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from equipoise.archive.roi_rules import RoiRule, RuleScope
from equipoise.imaging.dicom_image import DicomIdentity
from equipoise.imaging.dicom_write import write_ct_series, write_image_series, write_structure_set
from equipoise.imaging.export import write_mask_nrrd
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.nuclear_write import write_whole_body_scan
from equipoise.imaging.volume import ImageVolume
from equipoise.simulation import (
    SEQUENCES,
    BrainPhantom,
    bone_scan_phantom,
    brain_phantom,
    random_metastases,
    random_tumour,
    simulated_observer,
    stream,
    thorax_phantom,
)

NAMESPACE = uuid.UUID("6f0d3f0e-6a53-4c36-9a51-7c1de2a0c0de")
"""Of the phantoms' DICOM identifiers: the same seed gives the same patients, and nobody else's."""
BONE_SCANS = 1_000_000
"""Key of the stream of bone scans: no thorax has so high a number."""
GLIOMAS = 2_000_000
"""Key of the stream of brains."""
RULES = (
    RoiRule(source="expert", pattern="GTV-1"),
    RoiRule(source="algorithm", pattern="*_algorithm.nrrd", applies_to=RuleScope.FILE),
)
"""Whose contour each of a phantom's delineations is."""
BONE_SCAN_MM = (2.4, 2.4)
"""Between rows and columns of a simulated whole-body scan."""
METASTASES_SHARE = 0.5
_SLICE_MM = (2.5, 3.0, 5.0)
_PIXEL_MM = 1.6
_SHAPE_YX = (256, 256)
_HEIGHT_MM = 130.0
_ORIGIN_MM = (-204.0, -204.0, -60.0)
_BRAIN_ORIGIN_MM = (-91.4, -109.8, -63.2)
_WHITEST = 1050
"""Brightness of a brain's sequences that a picture shows white."""
_DIMMED = 0.3
"""Of a sequence's brightness below its saliency map."""
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
EXPERT_SKILL = 0.9
ALGORITHM_SKILL = 0.85


def write_phantom_patient(folder: Path, *, number: int, seed: int) -> Path:
    """Write one phantom patient and return its folder. Size, place and margin of the tumour vary, so do the slices."""
    rng = stream(seed, number)
    spacing_mm = (_SLICE_MM[number % len(_SLICE_MM)], _PIXEL_MM, _PIXEL_MM)
    shape = (round(_HEIGHT_MM / spacing_mm[0]), *_SHAPE_YX)
    phantom = thorax_phantom(rng, shape=shape, spacing_mm=spacing_mm, tumour=random_tumour(rng))
    expert_rng, algorithm_rng = rng.spawn(2)
    tumour = phantom.masks["tumour"]
    expert = simulated_observer(tumour, spacing_mm, expert_rng, skill=EXPERT_SKILL)
    algorithm = simulated_observer(tumour, spacing_mm, algorithm_rng, skill=ALGORITHM_SKILL, bias_mm=0.4)
    grid = Grid(shape, spacing_mm, _ORIGIN_MM, _IDENTITY)
    code = f"PHANTOM-{number:03d}"
    target = folder / code
    target.mkdir(parents=True, exist_ok=True)
    write_ct_series(
        ImageVolume(array=phantom.image, grid=grid), target, patient_code=code, namespace=NAMESPACE
    )
    write_structure_set(
        {"GTV-1": Mask(expert, grid)}, target / "structures.dcm", patient_code=code, namespace=NAMESPACE
    )
    write_mask_nrrd(Mask(algorithm, grid), target / f"{code}_algorithm.nrrd")
    return target


def write_phantom_bone_scan(folder: Path, *, number: int, seed: int) -> tuple[str, bool]:
    """Write one whole-body bone scan; return its patient's code and whether it shows metastases."""
    rng = stream(seed, BONE_SCANS, number)
    count = random_metastases(rng) if rng.random() < METASTASES_SHARE else 0
    phantom = bone_scan_phantom(rng, metastases=count, degeneration=float(rng.uniform(0.3, 1.6)))
    code = f"SCAN-{number:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole_body_scan(
        phantom.anterior,
        phantom.posterior,
        folder / f"{code}.dcm",
        spacing_mm=phantom.spacing_mm,
        patient_code=code,
        namespace=NAMESPACE,
    )
    return code, phantom.positive


def write_phantom_glioma(folder: Path, *, number: int, seed: int) -> BrainPhantom:
    """Write the MR images of one head with a glioma; return it.

    ``folder/series/<patient>/`` holds T1 with contrast in DICOM, ``folder/surveys/<patient>.png`` one picture of the
    slice with most of the tumour: the four sequences, and below each, over a dimmed copy, what a simulated model marks.
    """
    rng = stream(seed, GLIOMAS, number)
    phantom = brain_phantom(rng)
    code = f"GLIOMA-{number:03d}"
    array = phantom.sequences["t1_contrast"]
    depth, rows, columns = array.shape
    grid = Grid((depth, rows, columns), phantom.spacing_mm, _BRAIN_ORIGIN_MM, _IDENTITY)
    write_image_series(
        ImageVolume(array, grid, modality="MR"),
        folder / "series" / code,
        identity=DicomIdentity.named(NAMESPACE, code),
    )
    surveys = folder / "surveys"
    surveys.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_survey_picture(phantom, rng)).save(surveys / f"{code}.png")
    return phantom


def _survey_picture(phantom: BrainPhantom, rng: np.random.Generator) -> np.ndarray:
    """Return sequences above saliency maps, 8 bits; a map is empty on sequences that the model did not use."""
    slices = [phantom.sequences[name][phantom.middle] for name in SEQUENCES]
    used = rng.permutation(len(SEQUENCES)) < rng.integers(1, len(SEQUENCES) + 1)
    above = [np.clip(one / _WHITEST, 0.0, 1.0) for one in slices]
    dimmed = [image * _DIMMED for image in above]
    mapped = phantom.saliency[phantom.middle] * (1.0 - _DIMMED)
    below = [image + mapped * float(is_used) for image, is_used in zip(dimmed, used, strict=True)]
    picture = np.vstack([np.hstack(above), np.hstack(below)])
    return np.rint(picture * 255.0).astype(np.uint8)
