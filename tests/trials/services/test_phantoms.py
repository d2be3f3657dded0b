"""The demonstration's heads come in through the door that everybody's images take."""

import numpy as np
import pytest

from equipoise.archive.selectors import stored_volume_image
from equipoise.audit.kinds import Origin
from tests.trials.dicomweb_world import empty_world
from trials.models import CasePurpose
from trials.rehearsal.phantoms import write_phantom_glioma
from trials.services.acts import Actor
from trials.services.ingest import trial_ingest_folder

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def own_store(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"


def ingested(folder):
    trial = empty_world().trial
    actor = Actor(account_id=None, origin=Origin.CLI)
    report = trial_ingest_folder(trial, folder, rules=(), purpose=CasePurpose.TRIAL, actor=actor)
    assert report.problems == ()
    return [stored_volume_image(case.images.get().volume) for case in trial.cases.order_by("code")]


def test_series_of_a_head_comes_back_voxel_by_voxel(tmp_path):
    phantom = write_phantom_glioma(tmp_path / "sent", number=0, seed=1)
    (image,) = ingested(tmp_path / "sent" / "series")
    assert image.modality == "MR"
    np.testing.assert_array_equal(image.array, phantom.sequences["t1_contrast"])


def test_survey_picture_shows_sequences_above_maps(tmp_path):
    phantoms = [write_phantom_glioma(tmp_path / "sent", number=number, seed=1) for number in range(2)]
    images = ingested(tmp_path / "sent" / "surveys")
    assert len(images) == 2
    _, rows, columns = phantoms[0].saliency.shape
    for image in images:
        assert image.array.shape == (1, 2 * rows, 4 * columns)
    panels = images[0].array[0].reshape(2, rows, 4, columns).astype(float)
    maps = panels[1] - 0.3 * panels[0]  # what stands over the dimmed sequence
    expected = phantoms[0].saliency[phantoms[0].middle] * 0.7 * 255
    shown = [number for number in range(4) if maps[:, number].max() > 2]
    assert shown
    for number in range(4):
        np.testing.assert_allclose(maps[:, number], expected if number in shown else 0, atol=1.0)
