"""Folders and files that are as they should be: what is read is what was written."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from equipoise.imaging import reading
from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.errors import GridMismatchError
from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd
from equipoise.imaging.geometry import Grid, matrix3
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import FileOutcome, read_folder, read_image, read_mask
from equipoise.imaging.series import load_series
from equipoise.imaging.structure_set import choose_roi, roi_mask
from equipoise.imaging.volume import ImageVolume, pixel_hash, turn_for_display
from tests.unit.imaging.conftest import NAMESPACE


def test_scan_comes_back_voxel_by_voxel(scan: Path, volume: ImageVolume):
    contents = read_folder(scan)
    (series,) = contents.series
    loaded = load_series(series)
    np.testing.assert_array_equal(loaded.volume.array, volume.array)
    assert loaded.volume.grid == volume.grid
    assert loaded.clipped_voxels == 0
    assert series.summary() == "CT, 6 x 20 x 24, slices every 5 mm, kernel B30f"


def test_every_file_has_a_line(scan: Path):
    (scan / "notes.txt").write_text("not an image")
    (scan / ".DS_Store").write_bytes(b"\0")
    contents = read_folder(scan)
    lines = {report.path: (report.outcome, report.kind) for report in contents.reports}
    assert len(lines) == 9
    assert lines["ct-0000.dcm"] == (FileOutcome.USED, "CT slice")
    assert lines["rs.dcm"] == (FileOutcome.USED, "structure set")
    assert lines["notes.txt"] == (FileOutcome.IGNORED, "file")
    assert lines[".DS_Store"] == (FileOutcome.IGNORED, "file")


def test_slices_are_ordered_by_position_and_not_by_name(scan: Path, volume: ImageVolume):
    for number, name in enumerate(("e", "a", "d", "c", "f", "b")):
        (scan / f"ct-{number:04d}.dcm").rename(scan / f"{name}.dcm")
    np.testing.assert_array_equal(read_image(scan).array, volume.array)


def test_copies_of_a_slice_count_once(scan: Path, volume: ImageVolume):
    (scan / "copy.dcm").write_bytes((scan / "ct-0002.dcm").read_bytes())
    contents = read_folder(scan)
    assert contents.series[0].grid.shape_zyx == (6, 20, 24)
    ignored = [r for r in contents.reports if r.outcome is FileOutcome.IGNORED]
    assert [r.sentence for r in ignored] == ["Ignored: a copy of another file."]


def test_structure_set_comes_back_voxel_by_voxel(scan: Path, mask: Mask):
    read = read_mask(scan, roi="gtv-1")
    np.testing.assert_array_equal(read.array, mask.array)
    assert read.grid == mask.grid
    np.testing.assert_array_equal(read_mask(scan / "rs.dcm", roi="GTV*").array, mask.array)
    np.testing.assert_array_equal(read_mask(scan / "rs.dcm", roi="GTV-1", image=scan).array, mask.array)


def test_contours_that_found_no_room_in_memory_are_read_again(scan: Path, volume, mask: Mask, monkeypatch):
    held = read_folder(scan).structure_sets[0]
    assert held.contour_bytes > 0
    monkeypatch.setattr(reading, "HELD_CONTOUR_BYTES", held.contour_bytes - 1)
    left = read_folder(scan).structure_sets[0]
    assert left.contours is None
    for structures in (held, left):
        read = roi_mask(structures, choose_roi(structures, "gtv-1"), volume.grid)
        np.testing.assert_array_equal(read.array, mask.array)


def test_structure_set_alone_goes_onto_the_grid_that_is_given(tmp_path, scan: Path, volume, mask):
    alone = tmp_path / "alone"
    alone.mkdir()
    (scan / "rs.dcm").rename(alone / "rs.dcm")
    for image in (volume, volume.grid, scan):
        np.testing.assert_array_equal(read_mask(alone / "rs.dcm", roi="GTV-1", image=image).array, mask.array)


def test_folder_with_its_own_images_is_put_on_the_grid_that_is_given(scan: Path, volume, mask):
    np.testing.assert_array_equal(read_mask(scan, roi="GTV-1", image=volume.grid).array, mask.array)
    elsewhere = Grid(volume.grid.shape_zyx, volume.grid.spacing_mm_zyx)
    with pytest.raises(GridMismatchError, match="The mask scan is not on the image's voxels: origin"):
        read_mask(scan, roi="GTV-1", image=elsewhere)


@pytest.mark.parametrize(
    "directions", [[[-1, 0, 0], [0, 1, 0], [0, 0, -1]], [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]]
)
def test_feet_first_and_prone_scans_are_shown_the_usual_way_round(tmp_path, volume, directions):
    acquired = Grid(volume.grid.shape_zyx, volume.grid.spacing_mm_zyx, (3.0, 4.0, 5.0), matrix3(directions))
    image = ImageVolume(volume.array, acquired)
    write_ct_series(image, tmp_path, patient_code="P1", namespace=NAMESPACE)
    read = read_image(tmp_path)
    np.testing.assert_allclose(read.grid.direction, np.eye(3), atol=1e-12)
    # the voxel at a place in the patient has the value it had
    point = acquired.index_to_patient(np.array([2, 5, 1]))
    x, y, z = np.rint(read.grid.patient_to_index(point)).astype(int)
    assert read.array[z, y, x] == volume.array[1, 5, 2]


def test_compressed_slices_are_decoded(scan: Path, volume: ImageVolume):
    import pydicom
    from pydicom.uid import RLELossless

    for path in scan.glob("ct-*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_image(scan).array, volume.array)


def test_rescale_slopes_are_applied_and_rounded(scan: Path, volume: ImageVolume, edit):
    for path in scan.glob("ct-*.dcm"):
        edit(path, RescaleSlope="0.5", RescaleIntercept="-100")
    expected = np.rint((volume.array.astype(float) + 1024) * 0.5 - 100).astype(np.int16)
    np.testing.assert_array_equal(read_image(scan).array, expected)


def test_values_beyond_16_bits_are_cut_and_counted(scan: Path, volume: ImageVolume, edit):
    for path in scan.glob("ct-*.dcm"):
        edit(path, RescaleSlope="100")
    loaded = load_series(read_folder(scan).series[0])
    wide = (volume.array.astype(int) + 1024) * 100 - 1024
    assert loaded.clipped_voxels == np.count_nonzero(wide > 32767) > 0
    assert loaded.volume.array.max() == 32767


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz", "nii", "mha"])
def test_volume_files_come_back_voxel_by_voxel(tmp_path, volume, mask, suffix):
    image_path, mask_path = tmp_path / f"image.{suffix}", tmp_path / f"image_mask.{suffix}"
    write_image_nrrd(volume, image_path)
    write_mask_nrrd(mask, mask_path)
    image = read_image(image_path)
    np.testing.assert_array_equal(image.array, volume.array)
    assert image.grid.matches(volume.grid, tolerance_mm=1e-4)
    np.testing.assert_array_equal(read_mask(mask_path, image=image).array, mask.array)
    np.testing.assert_array_equal(read_mask(mask_path, image=image_path).array, mask.array)
    contents = read_folder(tmp_path)
    assert [file.path.name for file in contents.images] == [f"image.{suffix}"]
    assert [file.path.name for file in contents.masks] == [f"image_mask.{suffix}"]


def test_mask_file_in_another_axis_order_is_put_on_the_images_grid(tmp_path, volume, mask):
    stored = SimpleITK.GetImageFromArray(mask.array.astype(np.uint8))
    stored.SetSpacing(mask.grid.spacing_mm_xyz)
    stored.SetOrigin(mask.grid.origin_mm_xyz)
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(stored, "RAS"), str(tmp_path / "m.nrrd"))
    read = read_mask(tmp_path / "m.nrrd", image=volume)
    np.testing.assert_array_equal(read.array, mask.array)
    assert read.grid == volume.grid


def test_one_label_of_several_is_chosen(tmp_path, volume, mask):
    labels = mask.array.astype(np.uint8)
    labels[0, 0, 0] = 3
    image = SimpleITK.GetImageFromArray(labels)
    SimpleITK.WriteImage(image, str(tmp_path / "m.nrrd"))
    assert read_mask(tmp_path / "m.nrrd", roi="3").voxel_count == 1
    assert read_mask(tmp_path / "m.nrrd", roi="1").voxel_count == mask.voxel_count


@pytest.mark.parametrize("name", ["scan.zip", "scan.tar", "scan.tar.gz"])
def test_archives_are_read_like_folders(tmp_path, scan, volume, mask, name):
    archive = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as sink:
            for path in scan.iterdir():
                sink.write(path, f"folder/{path.name}")
    else:
        with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as sink:
            sink.add(scan, "folder")
    np.testing.assert_array_equal(read_image(archive).array, volume.array)
    np.testing.assert_array_equal(read_mask(archive, roi="GTV-1").array, mask.array)


def test_archive_inside_a_folder_is_unpacked_into_the_workspace(tmp_path, scan):
    sent, workspace = tmp_path / "sent", tmp_path / "workspace"
    sent.mkdir()
    workspace.mkdir()
    with zipfile.ZipFile(sent / "scan.zip", "w") as sink:
        for path in scan.iterdir():
            sink.write(path, path.name)
    contents = read_folder(sent, workspace=workspace)
    assert len(contents.series) == 1
    assert {r.path for r in contents.reports} == {"scan.zip", *(f"scan.zip/{p.name}" for p in scan.iterdir())}
    assert [r.outcome for r in read_folder(sent).reports] == [FileOutcome.IGNORED]


def test_pixel_hash_is_of_the_image_and_not_of_its_file(tmp_path, scan, volume):
    write_image_nrrd(volume, tmp_path / "image.nrrd")
    assert pixel_hash(read_image(tmp_path / "image.nrrd")) == pixel_hash(read_image(scan))
    other = volume.array.copy()
    other[0, 0, 0] += 1
    assert pixel_hash(ImageVolume(other, volume.grid)) != pixel_hash(volume)


def test_planar_scan_keeps_its_views_as_they_are(tmp_path):
    path = write_bone_scan(tmp_path / "bone.dcm")
    image = read_image(path)
    assert image.modality == "NM"
    assert image.description.views == ("anterior", "posterior")
    assert image.grid.shape_zyx == (2, 32, 16)
    assert image.grid.spacing_mm_zyx == (1.0, 2.4, 2.2)
    assert image.array[1, 3, 5] == 1000 + 3 * 16 + 5
    turned, transform = turn_for_display(image)
    assert not any(transform.flips_zyx)
    np.testing.assert_array_equal(turned.array, image.array)


def write_bone_scan(path: Path) -> Path:
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.NuclearMedicineImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("2.25.7")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.7"
    dataset.Modality, dataset.PatientID, dataset.SeriesInstanceUID = "NM", "P1", "2.25.8"
    dataset.PixelSpacing, dataset.NumberOfFrames = ["2.4", "2.2"], 2
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 32, 16, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    frames = np.arange(2 * 32 * 16).reshape(2, 32, 16) % 512 + np.array([0, 1000])[:, None, None]
    dataset.PixelData = frames.astype("<u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path
