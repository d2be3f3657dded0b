"""Files are there whole or not at all, and no row is without its file."""

import uuid
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from equipoise.archive import services
from equipoise.archive.models import StoredHeatMap, StoredMask, StoredVolume
from equipoise.archive.selectors import (
    stored_heat_levels,
    stored_mask,
    stored_mask_array,
    stored_volume_array,
    stored_volume_image,
    stored_volume_slice,
    volumes_sharing,
)
from equipoise.archive.services import heat_map_store, mask_store, patient_store, volume_delete, volume_store
from equipoise.archive.storage import PackStore, StoreKind, default_store
from equipoise.archive.verify import verify
from equipoise.imaging.errors import EmptyMaskError, GridMismatchError
from equipoise.imaging.geometry import Grid, matrix3
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume, pixel_hash
from tests.archive.conftest import GRID, INSTITUTE, OTHER_TRIAL, TRIAL, make_mask, make_volume

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_volume_and_mask_come_back_exactly(volume, mask):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE, patient_key="k")
    drawn = mask_store(stored, mask, source="expert")
    stored.refresh_from_db()
    np.testing.assert_array_equal(stored_volume_array(stored), volume.array)
    np.testing.assert_array_equal(stored_volume_slice(stored, 3), volume.array[3])
    np.testing.assert_array_equal(stored_mask_array(drawn), mask.array)
    assert stored_mask(drawn).grid == GRID
    image = stored_volume_image(stored)
    assert (image.grid, image.description, image.windows) == (GRID, volume.description, volume.windows)
    assert stored.shape_zyx == (6, 20, 24)
    assert stored.spacing_mm_zyx == (5.0, 0.8, 0.75)
    assert stored.pixel_hash == pixel_hash(volume)
    assert drawn.bounding_box.start_zyx == (1, 4, 3)
    assert drawn.volume_ml == pytest.approx(mask.volume_ml, abs=1e-12)


def test_keys_are_institute_trial_kind_and_an_id(volume, mask, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    drawn = mask_store(stored, mask, source="expert")
    for key, kind in ((stored.key, "packs"), (drawn.key, "masks")):
        institute, trial, folder, name = key.split("/")
        assert (institute, trial, folder) == (str(INSTITUTE), str(TRIAL), kind)
        assert uuid.UUID(name).version == 7
        assert (store_folder / key).is_file()


def test_feet_first_volume_is_stored_the_usual_way_round_with_its_masks(volume):
    feet_first = Grid(
        GRID.shape_zyx, GRID.spacing_mm_zyx, (0.0, 0.0, 0.0), matrix3([[-1, 0, 0], [0, 1, 0], [0, 0, -1]])
    )
    image = ImageVolume(volume.array, feet_first)
    mask = make_mask(feet_first)
    stored = patient_store(image, {"expert": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    np.testing.assert_array_equal(stored_volume_array(stored.volume), volume.array[::-1, :, ::-1])
    np.testing.assert_array_equal(stored_mask_array(stored.masks["expert"]), mask.array[::-1, :, ::-1])
    assert stored.volume.transform.flips_zyx == (True, False, True)
    np.testing.assert_array_equal(
        stored.volume.transform.undo(stored_volume_array(stored.volume)), volume.array
    )


def test_the_same_image_and_mask_are_stored_once_per_trial(volume, mask, store_folder):
    first = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    drawn = mask_store(first, mask, source="expert")
    assert volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE) == first
    assert mask_store(first, mask, source="expert") == drawn
    assert len(files_in(store_folder)) == 2
    other = volume_store(volume, trial_id=OTHER_TRIAL, institute_id=INSTITUTE)
    assert other.key != first.key
    again = mask_store(first, make_mask(high=14), source="expert")
    assert again.pk != drawn.pk


def test_a_mask_that_fails_leaves_neither_row_nor_file(volume, mask, store_folder):
    moved = Mask(mask.array, Grid(GRID.shape_zyx, GRID.spacing_mm_zyx))
    with pytest.raises(GridMismatchError):
        patient_store(volume, {"expert": mask, "model": moved}, trial_id=TRIAL, institute_id=INSTITUTE)
    empty = Mask(np.zeros_like(mask.array), GRID)
    with pytest.raises(EmptyMaskError, match="The mask of 'model' has no voxel"):
        patient_store(volume, {"expert": mask, "model": empty}, trial_id=TRIAL, institute_id=INSTITUTE)
    assert StoredVolume.objects.count() == StoredMask.objects.count() == 0
    assert not store_folder.exists() or files_in(store_folder) == []


def test_a_row_that_fails_takes_its_files_with_it(volume, mask, store_folder, monkeypatch):
    def fail(**_: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(StoredMask.objects, "create", fail)
    with pytest.raises(RuntimeError, match="the database is gone"):
        patient_store(volume, {"expert": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    assert StoredVolume.objects.count() == 0
    assert files_in(store_folder) == []


def test_two_runs_that_store_the_same_image_at_once_store_it_once(volume, mask, store_folder, monkeypatch):
    write_pack = services._write_pack

    def overtaken(*arguments):
        monkeypatch.setattr(services, "_write_pack", write_pack)
        volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
        return write_pack(*arguments)

    monkeypatch.setattr(services, "_write_pack", overtaken)
    stored = patient_store(volume, {"expert": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    assert stored.already_there
    assert StoredVolume.objects.get() == stored.volume
    assert len(files_in(store_folder)) == 2
    assert verify().sound


def test_store_elsewhere_takes_files_in_on_its_own_disk(settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path / 'elsewhere'}"
    store = default_store()
    file = store.write(
        lambda sink: sink.write(b"x"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.MASKS
    )
    assert (tmp_path / "elsewhere" / file.key).read_bytes() == b"x"
    assert list(store.keys()) == [file.key]


def test_storage_that_is_not_built_in_is_named(settings):
    settings.STORAGE_URL = "ftp://host"
    with pytest.raises(
        ImproperlyConfigured, match=r"begins with 'ftp:'; files are stored in 'file:' or 's3:'"
    ):
        default_store()


def test_volumes_of_a_patient_or_image_are_found_in_their_trial_only(volume):
    one = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE, patient_key="k1")
    other = volume_store(make_volume(2), trial_id=TRIAL, institute_id=INSTITUTE, patient_key="k2")
    volume_store(volume, trial_id=OTHER_TRIAL, institute_id=INSTITUTE, patient_key="k1")
    assert volumes_sharing(trial_id=TRIAL, patient_keys=["k1", ""]) == [one]
    assert volumes_sharing(trial_id=TRIAL, patient_keys=["k2"], pixel_hashes=[one.pixel_hash]) == [one, other]


def test_deleting_a_volume_takes_masks_and_files(volume, mask, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    mask_store(stored, mask, source="expert")
    heat_map_store(stored, np.zeros(stored.shape_zyx, np.uint8))
    volume_delete(stored)
    assert StoredVolume.objects.count() == StoredMask.objects.count() == StoredHeatMap.objects.count() == 0
    assert files_in(store_folder) == []


def test_heat_map_comes_back_level_by_level_and_is_stored_once(volume, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    levels = np.random.default_rng(3).integers(0, 256, stored.shape_zyx).astype(np.uint8)
    heat = heat_map_store(stored, levels)
    assert np.array_equal(stored_heat_levels(heat), levels)
    assert heat_map_store(stored, levels.copy()) == heat
    assert len(files_in(store_folder)) == 2
    assert verify().sound


def test_heat_map_of_another_shape_is_refused_with_nothing_left(volume, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    with pytest.raises(GridMismatchError, match=r"has the shape \(1, 2, 3\); the image has"):
        heat_map_store(stored, np.zeros((1, 2, 3), np.uint8))
    assert StoredHeatMap.objects.count() == 0
    assert len(files_in(store_folder)) == 1


def test_altered_heat_map_is_found(volume, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    heat = heat_map_store(stored, np.zeros(stored.shape_zyx, np.uint8))
    (store_folder / heat.key).write_bytes(b"x")
    assert verify().altered_files == [heat.key]


def test_verify_finds_what_is_lost_left_over_and_changed(volume, mask, store: PackStore, store_folder):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    drawn = mask_store(stored, mask, source="expert")
    lost = mask_store(stored, mask, source="model")
    assert verify().sound
    assert verify().checked == 3
    content = bytearray((store_folder / drawn.key).read_bytes())
    content[-1] ^= 1
    (store_folder / drawn.key).write_bytes(content)
    store.delete(lost.key)
    left = store.write(
        lambda sink: sink.write(b"x"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.PACKS
    )
    export = store.write(
        lambda sink: sink.write(b"x"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.EXPORTS
    )
    (store_folder / "stray").write_bytes(b"x")
    report = verify()
    assert report.files_without_rows == sorted([left.key, "stray"])
    assert report.rows_without_files == [lost.key]
    assert report.altered_files == [drawn.key]
    assert export.key in verify(others={}).files_without_rows
    assert export.key not in verify(others={export.key: None}).files_without_rows
    assert export.key in verify(others={export.key: "0" * 64}).altered_files
    an_hour_ago = timezone.now() - timedelta(hours=1)
    assert verify(others={}, settled_before=an_hour_ago).files_without_rows == ["stray"]
