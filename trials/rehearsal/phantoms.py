"""Phantom patients as a clinic would send them: CT and structure set in DICOM, the algorithm's mask as a file.

Each patient's folder holds the CT series, an RTSTRUCT with ``GTV-1`` as a simulated expert drew it, and
``<patient>_algorithm.nrrd`` as a simulated algorithm drew it.
"""

import uuid
from pathlib import Path

from equipoise.archive.roi_rules import RoiRule, RuleScope
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.export import write_mask_nrrd
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume
from equipoise.simulation import random_tumour, simulated_observer, stream, thorax_phantom

NAMESPACE = uuid.UUID("6f0d3f0e-6a53-4c36-9a51-7c1de2a0c0de")
"""Of the phantoms' DICOM identifiers: the same seed gives the same patients, and nobody else's."""
RULES = (
    RoiRule(source="expert", pattern="GTV-1"),
    RoiRule(source="algorithm", pattern="*_algorithm.nrrd", applies_to=RuleScope.FILE),
)
"""Whose contour each of a phantom's delineations is."""
_SLICE_MM = (2.5, 3.0, 5.0)
_PIXEL_MM = 1.6
_SHAPE_YX = (256, 256)
_HEIGHT_MM = 130.0
_ORIGIN_MM = (-204.0, -204.0, -60.0)
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
