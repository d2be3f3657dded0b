"""Weights that Keras saved give here what they give in Keras."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it once, when it is imported
if not os.environ.get("CI"):
    pytest.importorskip("keras", reason="the extra `parity` is not installed")

from equipoise.inference.cards import ModelCard
from equipoise.inference.errors import WeightsError
from equipoise.inference.runtime import Runtime, installed_runtimes
from equipoise.inference.shapes import UNET_PARAMETERS, VGG_PARAMETERS, UNetShape, VggShape
from equipoise.inference.weight_files import convert_weights
from tests.unit.inference.keras_networks import keras_unet, keras_vgg, set_random_weights
from tests.unit.inference.random_networks import card_of

TOLERANCE = 1e-4
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras and numpy 2
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning"),
]


@pytest.fixture(scope="module", params=["keras", pytest.param("tf_keras", marks=pytest.mark.slow)])
def keras(request):
    """Keras 3 on torch; and, in the long run, Keras 2 on TensorFlow, which the published weights are from."""
    if request.param == "tf_keras":
        pytest.importorskip("tf_keras", reason="the extra `conversion` is not installed")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module(request.param)
    torch.set_num_threads(before)


@pytest.fixture(params=[8, pytest.param(64, marks=pytest.mark.slow)], ids=["narrow", "published width"])
def width(request) -> int:
    return int(request.param)


@pytest.fixture(params=["model", "weights"])
def saved_as(request) -> str:
    return str(request.param)


def save(model, path: Path, saved_as: str) -> Path:
    """Write the whole model, or its weights alone, in the classic HDF5 format."""
    if saved_as == "model":
        model.save(str(path))
    elif hasattr(model, "save_weights") and "tf_keras" in type(model).__module__:
        model.save_weights(str(path), save_format="h5")
    else:  # Keras 3 writes weights alone in another format; the classic one's group holds the same
        import h5py
        from keras.src.legacy.saving import legacy_h5_format

        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def of_card(state, card: ModelCard, name: str) -> Runtime:
    return Runtime.of(state, card, runtime=name, device="cpu", precision="fp32", threads=1)


def test_a_unet_gives_what_it_gives_in_keras(keras, width, saved_as, tmp_path):
    size = 64 if width < 64 else 128
    model = keras_unet(keras, width=width)
    set_random_weights(model, seed=1)
    assert width != 64 or model.count_params() == UNET_PARAMETERS == 31_031_685
    bins = np.random.default_rng(2).integers(0, 46, (1, size, size + 32, 1)).astype(np.float32)
    final = model.layers[-1].get_weights()
    before = keras.Model(model.inputs[0], model.layers[-2].output)(bins)
    raw = np.asarray(_array(before) @ final[0][0, 0])
    # Random logits are in the hundreds; the last layer is scaled so that the sigmoid shows every difference.
    model.layers[-1].set_weights([final[0] / raw.std(), np.full(1, -np.median(raw) / raw.std(), np.float32)])
    expected = _array(model(bins))[0, :, :, 0]
    assert expected.std() > 0.05
    shape = UNetShape(width=width)
    state = convert_weights(save(model, tmp_path / "unet.h5", saved_as), card_of(shape))
    for name in installed_runtimes():
        logits = of_card(state, card_of(shape), name).engine.run(np.moveaxis(bins, 3, 1))[0, 0]
        np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=TOLERANCE)


def test_an_elu_unet_gives_what_it_gives_in_keras(keras, tmp_path):
    model = keras_unet(keras, width=4, activation="elu")
    set_random_weights(model, seed=3)
    bins = np.random.default_rng(2).random((1, 64, 64, 1)).astype(np.float32)
    shape = UNetShape(width=4, activation="elu")
    state = convert_weights(save(model, tmp_path / "unet.h5", "model"), card_of(shape))
    for name in installed_runtimes():
        logits = of_card(state, card_of(shape), name).engine.run(np.moveaxis(bins, 3, 1))[0, 0]
        np.testing.assert_allclose(1 / (1 + np.exp(-logits)), _array(model(bins))[0, :, :, 0], atol=TOLERANCE)


def test_a_vgg_gives_what_it_gives_in_keras(keras, width, saved_as, tmp_path):
    units = 512 if width == 64 else 16
    model = keras_vgg(keras, width=width, units=units)
    set_random_weights(model, seed=4)
    assert width != 64 or model.count_params() == VGG_PARAMETERS
    plane = np.random.default_rng(2).random((128, 96)).astype(np.float32)
    expected = _array(model(np.repeat(plane[None, :, :, None], 3, axis=3)))[0]
    shape = VggShape(width=width, units=units)
    state = convert_weights(save(model, tmp_path / "vgg.h5", saved_as), card_of(shape))
    for name in installed_runtimes():
        probabilities, _ = of_card(state, card_of(shape), name).classify(plane)
        np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE)


def test_networks_that_are_not_the_published_ones_are_refused(keras, tmp_path):
    card = card_of(UNetShape(width=4))
    path = save(keras_unet(keras, width=8), tmp_path / "wide.h5", "model")
    with pytest.raises(WeightsError, match=r"wide\.h5: layer conv2d.* is \(3, 3, 1, 8\)"):
        convert_weights(path, card)
    path = save(keras_vgg(keras, width=4, units=8), tmp_path / "vgg.h5", "model")
    with pytest.raises(WeightsError, match="15 layers with weights, the network 24"):
        convert_weights(path, card)
    layers = keras.layers
    image = layers.Input((None, None, 1))
    normalised = keras.Model(image, layers.BatchNormalization()(layers.Conv2D(1, 3)(image)))
    with pytest.raises(WeightsError, match="2 layers with weights, the network 24"):
        convert_weights(save(normalised, tmp_path / "other.h5", "model"), card)


def test_the_format_of_keras_3_is_refused_with_what_would_be_right(keras, tmp_path):
    if keras.__name__ != "keras":
        pytest.skip("Keras 2 has no other format")
    model = keras_unet(keras, width=4)
    model.save_weights(str(tmp_path / "unet.weights.h5"))
    with pytest.raises(WeightsError, match="classic HDF5"):
        convert_weights(tmp_path / "unet.weights.h5", card_of(UNetShape(width=4)))


def _array(tensor) -> np.ndarray:
    return np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor)
