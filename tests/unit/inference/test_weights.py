"""Weights keep their values on the way in and out, and nothing else gets in."""

import json
import os
import pickle

import h5py
import numpy as np
import pytest

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

import torch
from safetensors.torch import save_file
from torch.nn import functional

from equipoise.cli.main import main
from equipoise.inference.cards import ModelCard, card_path, read_card
from equipoise.inference.errors import WeightsError
from equipoise.inference.shapes import UNetShape, VggShape, convolution_table
from equipoise.inference.unet import UNet, initialise
from equipoise.inference.vgg import VggClassifier
from equipoise.inference.weight_files import convert_weights
from equipoise.inference.weights import load_weights, network_of, save_weights

SHAPE = {"width": 2, "activation": "relu", "scale": 1.0}
VGG_SHAPE = {"width": 2, "units": 6, "classes": 2}


def card(architecture="unet", shape=None, **changes) -> ModelCard:
    fields = {"name": "try", "version": "1", "purpose": "tests", "data": "noise"} | changes
    return ModelCard(architecture=architecture, shape=shape or SHAPE, **fields)


@pytest.fixture
def saved(tmp_path):
    network = UNet(UNetShape(**SHAPE))
    initialise(network, seed=3)
    path = tmp_path / "try.safetensors"
    return network, path, save_weights(network, path, card())


def write_keras(path, layers, *, under="model_weights"):
    """Write layers (name, kernel, bias) as Keras's classic format does; layers without weights stand between."""
    with h5py.File(path, "w") as file:
        group = file.create_group(under) if under else file
        names = ["input_1"]
        group.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for name, kernel, bias in layers:
            names.append(name)
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()])
            layer.create_dataset(f"{name}/kernel:0", data=kernel)
            layer.create_dataset(f"{name}/bias:0", data=bias)
        group.attrs["layer_names"] = np.array([name.encode() for name in names])


def keras_unet_layers(width=2, seed=4):
    rng = np.random.default_rng(seed)
    return [
        (
            f"conv2d_{number}",
            rng.normal(0, 0.3, (k, k, channels, out)).astype(np.float32),
            rng.normal(0, 0.1, out).astype(np.float32),
        )
        for number, (out, channels, k) in enumerate(convolution_table(width))
    ]


def test_saved_weights_come_back_with_their_card(saved):
    network, path, written = saved
    again, found = load_weights(path)
    assert found == written == read_card(path)
    assert found.model_id == f"try-1-{found.sha256[:12]}"
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    document = json.loads(card_path(path).read_text())
    assert document["input_contract"].startswith("(1, 1, rows, columns)")


def test_changed_weights_are_refused(saved):
    _, path, _ = saved
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not the file that its card describes"):
        load_weights(path)


def test_weights_without_a_card_or_of_another_format_are_refused(saved, tmp_path):
    _, path, _ = saved
    card_path(path).unlink()
    with pytest.raises(WeightsError, match="no model card"):
        load_weights(path)
    other = tmp_path / "model.pt"
    other.write_bytes(pickle.dumps({}))
    with pytest.raises(WeightsError, match="can hold programs"):
        load_weights(other)
    with pytest.raises(WeightsError, match="is a pickle"):
        convert_weights(other, card())


def test_a_card_that_is_none_is_refused(saved):
    _, path, _ = saved
    card_path(path).write_text('{"name": "x"}')
    with pytest.raises(WeightsError, match="is no model card"):
        load_weights(path)
    with pytest.raises(WeightsError, match="architecture 'lstm'"):
        card("lstm")
    with pytest.raises(WeightsError, match="threshold"):
        card(threshold=1.0)


@pytest.mark.parametrize("under", ["model_weights", ""])
def test_keras_kernels_land_where_they_belong(tmp_path, under):
    layers = keras_unet_layers()
    write_keras(tmp_path / "unet.h5", layers, under=under)
    network = network_of(convert_weights(tmp_path / "unet.h5", card()), card())
    x = torch.rand(1, 1, 16, 16)
    for number, (_, kernel, bias) in enumerate(layers[:2]):
        # The definition: out[y, x, o] = sum over rows, columns, channels of in * kernel[row, column, channel, o].
        padded = np.pad(x[0].permute(1, 2, 0).numpy(), ((1, 1), (1, 1), (0, 0)))
        expected = np.array(
            [
                [np.tensordot(padded[r : r + 3, c : c + 3], kernel, 3) + bias for c in range(16)]
                for r in range(16)
            ]
        )
        x = functional.relu(getattr(network, f"conv_{number:02d}")(x)).detach()
        np.testing.assert_allclose(x[0].permute(1, 2, 0).numpy(), np.maximum(expected, 0), atol=1e-5)


def test_keras_layers_that_do_not_match_are_refused(tmp_path):
    path = tmp_path / "unet.h5"
    write_keras(path, keras_unet_layers()[:-1])
    with pytest.raises(WeightsError, match="23 layers with weights, the network 24"):
        convert_weights(path, card())
    layers = keras_unet_layers()
    layers[3], layers[4] = layers[4], layers[3]
    write_keras(path, layers)
    with pytest.raises(WeightsError, match="conv2d_4"):
        convert_weights(path, card())
    layers = keras_unet_layers()
    layers[5], layers[15] = layers[15], layers[5]  # of one shape: only their names tell
    assert layers[5][1].shape == layers[15][1].shape
    write_keras(path, layers)
    with pytest.raises(WeightsError, match=r"lists conv2d_6 after conv2d_15"):
        convert_weights(path, card())
    layers = keras_unet_layers()
    layers[7][2][0] = np.nan
    write_keras(path, layers)
    with pytest.raises(WeightsError, match="not numbers"):
        convert_weights(path, card())
    path.write_bytes(b"no hdf5")
    with pytest.raises(WeightsError, match="no Keras HDF5"):
        convert_weights(path, card())


def test_keras_dense_layers_are_turned(tmp_path):
    network = VggClassifier(VggShape(**VGG_SHAPE))
    layers = []
    for name, module in network.named_modules():
        if hasattr(module, "weight"):
            weight = module.weight.detach().numpy()
            kernel = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
            layers.append((name.replace(".", "_"), kernel, module.bias.detach().numpy()))
    write_keras(tmp_path / "vgg.h5", layers)
    again = network_of(convert_weights(tmp_path / "vgg.h5", card("vgg", VGG_SHAPE)), card("vgg", VGG_SHAPE))
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(again(image), network.eval()(image))


def test_torchvision_features_are_taken_and_a_head_only_when_asked_for(tmp_path):
    network = VggClassifier(VggShape(**VGG_SHAPE))
    state = {name: value for name, value in network.state_dict().items() if name.startswith("features.")}
    state["classifier.0.weight"] = torch.zeros(5, 5)
    path = tmp_path / "vgg16.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match="no head of ours"):
        convert_weights(path, card("vgg", VGG_SHAPE))
    again = convert_weights(path, card("vgg", VGG_SHAPE), head_seed=1)
    np.testing.assert_array_equal(again["features.0.weight"], network.features[0].weight.detach().numpy())
    other = convert_weights(path, card("vgg", VGG_SHAPE), head_seed=1)
    np.testing.assert_array_equal(again["hidden.weight"], other["hidden.weight"])
    assert 0.1 < again["hidden.weight"].std() / (2 / 16) ** 0.5 < 2  # He-normal for 16 inputs


def test_a_state_of_another_width_is_refused(saved, tmp_path):
    _, path, _ = saved
    with pytest.raises(WeightsError, match="has the shape"):
        convert_weights(path, card(shape=SHAPE | {"width": 3}))


def weights_command(*arguments) -> int:
    try:
        main(["weights", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_converts_shows_and_refuses(tmp_path, capsys):
    write_keras(tmp_path / "unet.h5", keras_unet_layers())
    card_file = tmp_path / "card.json"
    card_file.write_text(json.dumps(card().as_json()))
    target = tmp_path / "unet.safetensors"
    assert weights_command("import", tmp_path / "unet.h5", target, "--card", card_file) == 0
    count = sum(k.size + b.size for _, k, b in keras_unet_layers())
    assert f"{count:,} parameters" in capsys.readouterr().out
    assert weights_command("show", target) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == read_card(target).sha256
    write_keras(tmp_path / "unet.h5", keras_unet_layers()[1:])
    assert weights_command("import", tmp_path / "unet.h5", target, "--card", card_file) == 2
    assert "23 layers" in capsys.readouterr().err
    assert weights_command("import", tmp_path / "unet.h5", tmp_path / "x.bin", "--card", card_file) == 2
    assert "must end in .safetensors" in capsys.readouterr().err
    card_file.write_text("{}")
    assert weights_command("import", tmp_path / "unet.h5", target, "--card", card_file) == 2
