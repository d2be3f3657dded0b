"""Whose a file is: by DICOM, by folder, by name."""

from pathlib import Path

import pytest

from equipoise.archive.patients import sort_by_patient
from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd
from equipoise.imaging.reading import read_folder
from tests.archive.conftest import make_mask, make_volume, write_patient


@pytest.mark.parametrize(
    "names, patients",
    [
        # one folder per patient
        (["p1/ct.nrrd", "p1/gtv_mask.nrrd", "p2/ct.nrrd"], {"p1": 2, "p2": 1}),
        # the same inside a folder that only wraps
        (["export/p1/ct.nrrd", "export/p1/gtv_mask.nrrd", "export/p2/ct.nrrd"], {"p1": 2, "p2": 1}),
        (["a/b/p1/ct.nrrd", "a/b/p2/ct.nrrd"], {"p1": 1, "p2": 1}),
        # one patient's own folder, with and without subfolders
        (["p1/ct.nrrd", "p1/gtv_mask.nrrd"], {"p1": 2}),
        (["p1/images/ct.nrrd", "p1/masks/gtv_mask.nrrd"], {"p1": 2}),
        (["p1/ct.nrrd", "p1/masks/gtv_mask.nrrd"], {"p1": 2}),
        # all in one folder, by name; the longest name that fits
        (["p1.nrrd", "p1_mask.nrrd", "p10.nrrd", "p10_mask.nrrd"], {"p1": 2, "p10": 2}),
        (["export/p1.nrrd", "export/p1_mask.nrrd", "export/p2.nrrd"], {"p1": 2, "p2": 1}),
        (["a.nrrd", "a_b.nrrd", "a_b_mask.nrrd"], {"a": 1, "a_b": 2}),
        # one image: everything is its own
        (["ct.nrrd", "gtv_mask.nrrd"], {"ct": 2}),
    ],
)
def test_files_find_their_patient(tmp_path: Path, names, patients):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "_mask" in name:
            write_mask_nrrd(make_mask(), path)
        else:
            write_image_nrrd(make_volume(), path)
    found = {p.original_id: len(p.images) + len(p.masks) for p in sort_by_patient(read_folder(tmp_path))}
    assert found == patients


def test_mask_beside_a_scan_is_its_patients(tmp_path: Path):
    write_patient(tmp_path / "x", "P1")
    write_mask_nrrd(make_mask(), tmp_path / "x" / "gtv_mask.nrrd")
    (patient,) = sort_by_patient(read_folder(tmp_path))
    assert (patient.original_id, len(patient.series), len(patient.structure_sets), len(patient.masks)) == (
        "P1",
        1,
        1,
        1,
    )
    assert "P1" not in repr(patient)
