"""A draft trial of small chest phantoms, and weights that the site's workers can run."""

import os
import shutil
from dataclasses import dataclass

import numpy as np
import pytest

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

import torch

from equipoise.archive.services import patient_store
from equipoise.audit.kinds import Origin
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume
from equipoise.inference.cards import ModelCard
from equipoise.simulation import TumourSpec, thorax_phantom
from tests.factories import trials as factory
from tests.trials.algorithms.networks import save_brightness_unet, save_random_vgg
from trials.domain.codes import case_code
from trials.models import Case, CaseImage, Contour
from trials.selectors.weights import weights_folder
from trials.services.acts import Actor
from trials.services.weights import weights_register

SHAPE, SPACING_MM = (10, 72, 72), (19.0, 5.6, 5.6)
MODEL = {"algorithms.0.name": "Marker", "algorithms.0.version": "1"}


@pytest.fixture(autouse=True)
def one_thread():
    """Let networks this small run on one thread: several would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def chest():
    return thorax_phantom(np.random.default_rng(3), shape=SHAPE, spacing_mm=SPACING_MM, tumour=TumourSpec())


@dataclass(frozen=True)
class Weights:
    """The cards of registered weights."""

    unet: ModelCard
    other_unet: ModelCard
    vgg: ModelCard


@pytest.fixture
def weights(db, tmp_path):
    """Register three sets of weights; the site forgets them at the end."""
    actor = Actor(account_id=None, origin=Origin.CLI)
    made = {
        "unet": save_brightness_unet(tmp_path / "unet.safetensors"),
        "other_unet": save_brightness_unet(tmp_path / "other.safetensors", steepness=5.0),
        "vgg": save_random_vgg(tmp_path / "vgg.safetensors"),
    }
    for name in ("unet", "other", "vgg"):
        weights_register(tmp_path / f"{name}.safetensors", actor=actor)
    yield Weights(**made)
    shutil.rmtree(weights_folder())


def chest_case(trial, chest, *, number, array=None, expert=True):
    """Store a chest phantom with a little noise of its own; return its case."""
    noisy = chest.image + np.random.default_rng([5, number]).integers(0, 2, chest.image.shape)
    voxels = np.asarray(noisy if array is None else array, np.int16)
    grid = Grid(voxels.shape, SPACING_MM)
    masks = {"expert": Mask(chest.masks["tumour"], grid)} if expert and array is None else {}
    key = f"{number:064x}"
    stored = patient_store(
        ImageVolume(array=voxels, grid=grid),
        masks,
        trial_id=trial.id,
        institute_id=trial.institute_id,
        patient_key=key,
    )
    case = Case.objects.create(
        trial=trial,
        code=case_code(trial.cases.count() + 1),
        patient_key=key,
        pixel_sha256=stored.volume.pixel_hash,
        created_at=trial.created_at,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    for source, mask in stored.masks.items():
        Contour.objects.create(
            case=case, source=source, mask=mask, voxel_count=mask.voxel_count, created_at=trial.created_at
        )
    return case


@pytest.fixture
def make_world(weights, chest):
    """Return a maker of draft trials whose protocol fixes the weights of the segmentation model."""

    def make(cases=3, **changes):
        options = {
            "algorithms.0.weights_sha256": weights.unet.sha256,
            "algorithms.0.weights_unknown_because": None,
            **MODEL,
            **changes,
        }
        world = factory.preference_world(cases=0, practice=0, **options)
        for number in range(cases):
            chest_case(world.trial, chest, number=number)
        return world

    return make
