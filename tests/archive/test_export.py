"""What leaves the archive: exact voxels, read back by readers that are not ours, for those alone who may."""

import base64
import gzip
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Outline
from typer.testing import CliRunner

from equipoise.archive.export import ExportFormat, ExportImpossibleError, patient_export
from equipoise.archive.models import StoredVolume
from equipoise.archive.services import patient_store
from equipoise.archive.storage import PackStore
from equipoise.audit.models import AuditEntry
from equipoise.cli.archive import app
from equipoise.cli.problems import BadInputError
from equipoise.common.errors import DomainError, NotFoundError
from equipoise.common.permissions import Role
from equipoise.imaging.geometry import Grid, matrix3
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import read_folder, read_image, read_mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription
from tests.archive.conftest import GRID, INSTITUTE, TRIAL, make_mask, make_volume

pytestmark = [pytest.mark.django_db, pytest.mark.db]

DEGREES_5 = np.radians(5)
OBLIQUE = Grid(
    GRID.shape_zyx,
    GRID.spacing_mm_zyx,
    (12.5, -30.25, 101.0),
    matrix3(
        [
            [np.cos(DEGREES_5), -np.sin(DEGREES_5), 0],
            [np.sin(DEGREES_5), np.cos(DEGREES_5), 0],
            [0, 0, 1],
        ]
    ),
)


def stored(grid: Grid = GRID, modality: str = "CT", **masks: Mask):
    """Store a scan that has every value of 16 bits' both ends, and masks."""
    array = make_volume(grid=grid).array.copy()
    array[0, 0, :2] = -32768, 32767
    description = SeriesDescription(kernel="B30f", tube_voltage_kv=120.0, slice_thickness_mm=5.0)
    image = ImageVolume(array, grid, modality, description=description)
    return patient_store(image, masks, trial_id=TRIAL, institute_id=INSTITUTE, patient_key="a" * 64)


def export(patient, folder: Path, *formats: ExportFormat) -> list[Path]:
    return patient_export(patient.volume, patient.masks, folder, code="C001", formats=formats)


@pytest.fixture(params=[GRID, OBLIQUE], ids=["axial", "oblique"])
def grid(request):
    return request.param


@pytest.fixture
def masks(grid: Grid) -> dict[str, Mask]:
    """Two that overlap; the first has a hole, the second touches itself at corners and the image's border."""
    corners = np.zeros(grid.shape_zyx, dtype=bool)
    corners[0, 0:2, 0:2] = corners[0, 2:4, 2:4] = True
    corners[2:4, 8:12, 5:23] = True
    return {"expert": make_mask(grid), "model-3": Mask(corners, grid)}


@pytest.fixture
def patient(grid, masks):
    return stored(grid, **masks)


def dcm2json(path: Path) -> Any:
    if shutil.which("dcm2json") is None:
        pytest.skip("dcmtk is not installed")
    done = subprocess.run(["dcm2json", "-fc", str(path)], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_nrrd_is_exact_by_its_own_specification(tmp_path, patient, masks, grid):
    export(patient, tmp_path, ExportFormat.NRRD)
    for source, mask in masks.items():
        head, body = (tmp_path / "C001" / f"{source}.nrrd").read_bytes().split(b"\n\n", 1)
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if ": " in line)
        assert (fields["type"], fields["encoding"]) == ("unsigned char", "gzip")
        assert fields["space"] == "left-posterior-superior"
        voxels = np.frombuffer(gzip.decompress(body), np.uint8).reshape(grid.shape_zyx)
        np.testing.assert_array_equal(voxels, mask.array)
        origin = [float(v) for v in fields["space origin"].strip("()").split(",")]
        np.testing.assert_allclose(origin, grid.origin_mm_xyz, atol=1e-9)
        columns = [
            [float(v) for v in word.strip("()").split(",")] for word in fields["space directions"].split()
        ]
        np.testing.assert_allclose(np.transpose(columns), grid.direction * grid.spacing_mm_xyz, atol=1e-9)
    np.testing.assert_array_equal(
        read_image(tmp_path / "C001" / "image.nrrd").array[0, 0, :2], np.array([-32768, 32767])
    )


def test_nifti_is_exact_by_its_own_specification(tmp_path, patient, masks, grid):
    export(patient, tmp_path, ExportFormat.NIFTI)
    for source, mask in masks.items():
        content = gzip.decompress((tmp_path / "C001" / f"{source}.nii.gz").read_bytes())
        dimensions = struct.unpack_from("<8h", content, 40)
        assert dimensions[:4] == (3, *grid.shape_zyx[::-1])
        affine = np.array(struct.unpack_from("<12f", content, 280)).reshape(3, 4)
        to_ras = np.diag([-1.0, -1.0, 1.0])
        np.testing.assert_allclose(affine[:, 3], to_ras @ grid.origin_mm_xyz, atol=1e-4)
        np.testing.assert_allclose(affine[:, :3], to_ras @ (grid.direction * grid.spacing_mm_xyz), atol=1e-6)
        start = int(struct.unpack_from("<f", content, 108)[0])
        voxels = np.frombuffer(content, np.uint8, offset=start).reshape(grid.shape_zyx)
        np.testing.assert_array_equal(voxels, mask.array)


def test_segmentation_is_exact_as_dcmtk_reads_it(tmp_path, patient, masks, grid):
    export(patient, tmp_path, ExportFormat.SEG)
    document = dcm2json(tmp_path / "C001" / "dicom" / "seg.dcm")
    slices = {
        dcm2json(path)["00080018"]["Value"][0]: z
        for z, path in enumerate(sorted((tmp_path / "C001" / "dicom").glob("ct-*.dcm")))
    }
    labels = {s["00620004"]["Value"][0]: s["00620005"]["Value"][0] for s in document["00620002"]["Value"]}
    frames = document["52009230"]["Value"]
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(document["7FE00010"]["InlineBinary"]), np.uint8), bitorder="little"
    )
    _, rows, columns = grid.shape_zyx
    pixels = bits[: len(frames) * rows * columns].reshape(-1, rows, columns)
    found = {source: np.zeros(grid.shape_zyx, dtype=bool) for source in masks}
    for frame, inside in zip(frames, pixels, strict=True):
        source = labels[frame["0062000A"]["Value"][0]["0062000B"]["Value"][0]]
        image = frame["00089124"]["Value"][0]["00082112"]["Value"][0]["00081155"]["Value"][0]
        found[source][slices[image]] |= inside.astype(bool)
        place = frame["00209113"]["Value"][0]["00200032"]["Value"]
        expected = grid.index_to_patient(np.array([0, 0, slices[image]]))
        np.testing.assert_allclose([float(v) for v in place], expected, atol=1e-6)
    for source, mask in masks.items():
        np.testing.assert_array_equal(found[source], mask.array)


def test_structure_set_keeps_every_voxel_and_lies_within_half_a_pixel(tmp_path, patient, masks, grid):
    """Bound: contour points lie on the edges between voxel centres, half a pixel from a centre, to 1e-6 pixels.

    Filled by another hand (even-odd, by matplotlib) from what dcmtk reads, they enclose exactly the mask's centres.
    """
    export(patient, tmp_path, ExportFormat.RTSTRUCT)
    document = dcm2json(tmp_path / "C001" / "dicom" / "rtstruct.dcm")
    names = {r["30060022"]["Value"][0]: r["30060026"]["Value"][0] for r in document["30060020"]["Value"]}
    _, rows, columns = grid.shape_zyx
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    for roi in document["30060039"]["Value"]:
        mask = masks[names[roi["30060084"]["Value"][0]]]
        found = np.zeros(grid.shape_zyx, dtype=bool)
        for contour in roi["30060040"]["Value"]:
            points = np.array([float(v) for v in contour["30060050"]["Value"]]).reshape(-1, 3)
            index = grid.patient_to_index(points)
            z = round(index[0, 2])
            np.testing.assert_allclose(index[:, 2], z, atol=1e-6)
            halves = np.abs(index[:, :2] * 2 - np.rint(index[:, :2] * 2)) / 2
            assert halves.max() < 1e-6
            assert (np.rint(index[:, :2] * 2) % 2).sum(axis=1).tolist() == [1.0] * len(index)
            found[z] ^= Outline(index[:, :2]).contains_points(centres).reshape(rows, columns)
        np.testing.assert_array_equal(found, mask.array)


def test_objects_refer_to_the_slices_beside_them(tmp_path, patient):
    files = export(patient, tmp_path, ExportFormat.RTSTRUCT, ExportFormat.SEG)
    assert [f.name for f in files] == [*(f"ct-{z:04d}.dcm" for z in range(6)), "rtstruct.dcm", "seg.dcm"]
    slices = [pydicom.dcmread(f) for f in files[:6]]
    structures, segments = pydicom.dcmread(files[6]), pydicom.dcmread(files[7])
    uids = [s.SOPInstanceUID for s in slices]
    study = structures.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    listed = study.RTReferencedSeriesSequence[0].ContourImageSequence
    assert [one.ReferencedSOPInstanceUID for one in listed] == uids
    assert {s.SeriesInstanceUID for s in slices} == {segments.ReferencedSeriesSequence[0].SeriesInstanceUID}
    assert {s.FrameOfReferenceUID for s in slices} == {segments.FrameOfReferenceUID}
    assert {d.PatientID for d in (*slices, structures, segments)} == {"C001"}
    assert {d.StudyDate for d in (*slices, structures, segments)} == {"20000101"}


def test_what_was_exported_comes_back_through_our_own_door(tmp_path, patient, masks, grid):
    export(patient, tmp_path, ExportFormat.RTSTRUCT, ExportFormat.SEG)
    folder = tmp_path / "C001" / "dicom"
    image = read_image(folder)
    assert image.array[0, 0, :2].tolist() == [-32768, 32767]
    np.testing.assert_array_equal(image.array[1:], make_volume(grid=grid).array[1:])
    assert image.grid.matches(grid, tolerance_mm=1e-6)
    assert image.description.kernel == "B30f"
    for source, mask in masks.items():
        for name in ("rtstruct.dcm", "seg.dcm"):
            np.testing.assert_array_equal(
                read_mask(folder / name, roi=source, image=folder).array, mask.array
            )
    assert read_folder(folder).failures() == []


def test_exporting_twice_gives_the_same_bytes(tmp_path, patient):
    formats = tuple(one for one in ExportFormat if one is not ExportFormat.ORIGINAL)
    one, other = export(patient, tmp_path / "1", *formats), export(patient, tmp_path / "2", *formats)
    assert [f.relative_to(tmp_path / "1") for f in one] == [f.relative_to(tmp_path / "2") for f in other]
    different = [f.name for f, g in zip(one, other, strict=True) if f.read_bytes() != g.read_bytes()]
    assert different == []


def test_magnetic_resonance_leaves_as_such_and_views_not_at_all(tmp_path):
    files = export(stored(modality="MR", expert=make_mask()), tmp_path, ExportFormat.SEG)
    assert pydicom.dcmread(files[0]).SOPClassUID == pydicom.uid.MRImageStorage
    assert [f.name for f in files][-1] == "seg.dcm"
    views = SeriesDescription(views=tuple(f"view {n}" for n in range(6)))
    bones = ImageVolume(make_volume(seed=3).array, GRID, "NM", description=views)
    planar = patient_store(bones, {}, trial_id=TRIAL, institute_id=INSTITUTE, patient_key="b" * 64)
    with pytest.raises(ExportImpossibleError, match="Case C001 is an image of modality NM"):
        export(planar, tmp_path / "views", ExportFormat.SEG)
    assert not (tmp_path / "views").exists()
    assert [f.name for f in export(planar, tmp_path / "views", ExportFormat.NRRD)] == ["image.nrrd"]


def test_sources_make_plain_file_names_and_never_the_same(tmp_path):
    patient = stored(**{"../expert 1": make_mask()})
    assert [f.name for f in export(patient, tmp_path, ExportFormat.NRRD)] == ["image.nrrd", "_expert_1.nrrd"]
    patient.masks["EXPERT_1"] = patient.masks["_expert 1"] = patient.masks.pop("../expert 1")
    with pytest.raises(ValueError, match="would be files of the same name") as caught:
        patient_export(
            patient.volume,
            {"a b": patient.masks["EXPERT_1"], "A_b": patient.masks["EXPERT_1"]},
            tmp_path / "2",
            code="C001",
            formats=[ExportFormat.NRRD],
        )
    assert "a b, A_b" in str(caught.value)
    assert not (tmp_path / "2").exists()


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch):
    """Run `equipoise archive ...` on the test's database, which needs no migration."""
    monkeypatch.setattr("equipoise.config.start.database_prepare", lambda: None)

    def run(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def test_verify_says_sound_and_finds_what_is_not(command, store: PackStore, store_folder: Path):
    stored(expert=make_mask())
    done = command("verify")
    assert (done.exit_code, done.output) == (0, "2 files are named by rows; the archive is sound.\n")
    volume = StoredVolume.objects.get()
    mask = volume.masks.get()
    content = bytearray((store_folder / volume.key).read_bytes())
    content[-1] ^= 1
    (store_folder / volume.key).write_bytes(content)
    store.delete(mask.key)
    left_over = store_folder / volume.key.replace(volume.key.split("/")[-1], str(UUID(int=0)))
    left_over.write_bytes(b"x")
    done = command("verify")
    assert done.exit_code == 1
    assert sorted(done.output.splitlines()) == sorted(
        [
            f"altered: {volume.key}",
            f"missing: {mask.key}",
            f"in no row: {left_over.relative_to(store_folder).as_posix()}",
            "2 files are named by rows; the archive is not sound.",
        ]
    )


@pytest.fixture
def world():
    from tests.factories.trials import preference_world

    return preference_world(cases=3, practice=0)


def test_export_writes_cases_for_those_who_may(command, world, tmp_path):
    out = tmp_path / "out"
    email = world.administrator.email
    done = command(
        "export",
        "contours",
        "--as",
        email,
        "--output",
        out,
        "--format",
        "seg",
        "--format",
        "nrrd",
        "--reason",
        "R",
    )
    assert done.exception is None
    codes = sorted(world.trial.cases.values_list("code", flat=True))
    assert sorted(p.name for p in out.iterdir()) == codes
    case = world.trial.cases.get(code=codes[0])
    for contour in case.contours.all():
        mask = read_mask(out / codes[0] / f"{contour.source}.nrrd")
        assert mask.voxel_count == contour.voxel_count
        again = read_mask(
            out / codes[0] / "dicom" / "seg.dcm", roi=contour.source, image=out / codes[0] / "dicom"
        )
        np.testing.assert_array_equal(again.array, mask.array)
    entry = AuditEntry.objects.filter(kind="export:created").get()
    assert (entry.subject, entry.actor_id) == ("export:images", world.administrator.id)
    assert entry.reason_hash


def test_export_is_refused_to_others_and_writes_nothing(command, world, tmp_path):
    from tests.factories.accounts import AccountFactory
    from trials.services.invitation import membership_create

    stranger = AccountFactory.create(institute=world.trial.institute)
    monitor = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, monitor, Role.BLINDED_MONITOR, actor=world.actor)
    reader = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, reader, Role.READER, actor=world.actor)
    out = tmp_path / "out"
    for person in (stranger, monitor, reader):
        done = command("export", "contours", "--as", person.email, "--output", out)
        assert isinstance(done.exception, DomainError)
    assert isinstance(
        command("export", "contours", "--as", stranger.email, "--output", out).exception, NotFoundError
    )
    email = world.administrator.email
    for arguments, sentence in (
        (("--as", "nobody@example.org"), "There is no active account nobody@example.org."),
        (
            ("--as", email, "--format", "jpeg"),
            "--format jpeg: choose from nrrd, nifti, rtstruct, seg, original.",
        ),
        (("--as", email, "--case", "C999"), "Trial contours has no case C999."),
    ):
        done = command("export", "contours", "--output", out, *arguments)
        assert isinstance(done.exception, BadInputError)
        assert done.exception.problems == (sentence,)
    assert not out.exists()
    assert not AuditEntry.objects.filter(kind="export:created").exists()
