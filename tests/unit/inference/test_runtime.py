"""Every runtime gives what the networks written out in torch give, repeats itself, and refuses what it cannot do."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from equipoise.inference import PreparedScan, prepare_nsclc, runtime
from equipoise.inference.engine import has_native_bf16
from equipoise.inference.errors import RuntimeMissingError, WeightsError
from equipoise.inference.runtime import Runtime, installed_runtimes
from equipoise.inference.shapes import UNetShape, VggShape, weight_shapes
from equipoise.inference.weight_files import write_state
from tests.unit.inference.random_networks import card_of, random_state, spread_out

TOLERANCE = 1e-4


def needs(name: str) -> None:
    if name not in installed_runtimes() and not os.environ.get("CI"):
        pytest.skip(f"the runtime {name} is not installed")


@pytest.fixture(params=["onnx", "openvino", "torch"])
def name(request) -> str:
    needs(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def scan(phantom) -> PreparedScan:
    """Three slices of a phantom, small planes, the middle one without lung."""
    whole = prepare_nsclc(phantom.image, phantom.spacing_mm)
    slices = np.linspace(4, len(whole.bins) - 5, 3).astype(int)[:, None, None]
    part = slices, np.arange(128, 384)[:, None], np.arange(160, 416)
    mask = whole.lung_mask[part] & (np.arange(256) < 160)
    mask[1] = False
    return replace(whole, bins=whole.bins[part] * mask, lung_mask=mask)


SHAPES = {"relu": UNetShape(width=4), "elu": UNetShape(width=3, activation="elu", scale=1 / 45)}


@pytest.fixture(scope="module")
def states(scan):
    return {key: spread_out(random_state(shape), shape, scan) for key, shape in SHAPES.items()}


@pytest.mark.parametrize("activation", SHAPES)
def test_the_unet_gives_what_torch_gives_in_every_runtime(name, activation, scan, states):
    torch = pytest.importorskip("torch", reason="the extra `inference` is not installed")
    from equipoise.inference.weights import network_of

    state, card = states[activation], card_of(SHAPES[activation])
    result = Runtime.of(state, card, runtime=name, device="cpu", precision="fp32", threads=1).segment(
        scan, margin=None
    )
    with torch.no_grad():
        expected = network_of(state, card)(torch.from_numpy(scan.bins[::2, None].astype(np.float32)))
    np.testing.assert_allclose(result[::2], expected[:, 0].numpy(), atol=TOLERANCE)
    assert result[0].std() > 0.05
    assert not result[1].any()  # a slice without lung is not looked at


def test_the_vgg_gives_what_torch_gives_in_every_runtime(name):
    torch = pytest.importorskip("torch", reason="the extra `inference` is not installed")
    from equipoise.inference.weights import network_of

    shape = VggShape(width=4, units=16)
    state, card = random_state(shape, seed=3), card_of(shape)
    plane = np.random.default_rng(1).random((512, 512), dtype=np.float32)
    model = Runtime.of(state, card, runtime=name, device="cpu", precision="fp32", threads=1)
    probabilities, heat = model.classify(plane)
    with torch.no_grad():
        expected = network_of(state, card)(torch.from_numpy(plane)[None, None].repeat(1, 3, 1, 1))
    np.testing.assert_allclose(probabilities, expected[0].numpy(), atol=TOLERANCE)
    assert heat.shape == (32, 32)
    assert heat.max() == 1.0
    other = model.classify(plane, target=int(probabilities.argmin()))[1]
    assert np.abs(other - heat).max() > 0.1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_repeats_are_the_same_bit_for_bit_whatever_ran_between(name, precision, scan, states):
    if precision == "bf16" and (name == "onnx" or not has_native_bf16()):
        pytest.skip("no bf16 here")
    options = {"runtime": name, "device": "cpu", "precision": precision, "threads": 1}
    model = Runtime.of(states["relu"], card_of(SHAPES["relu"]), **options)
    first = model.segment(scan)
    model.segment(scan, margin=160)  # other sizes of plane
    np.testing.assert_array_equal(model.segment(scan), first)
    again = Runtime.of(states["relu"], card_of(SHAPES["relu"]), **options)
    np.testing.assert_array_equal(again.segment(scan), first)


def test_bf16_moves_only_pixels_at_the_threshold(name, scan, states):
    if name == "onnx" or not has_native_bf16():
        pytest.skip("no bf16 here")
    card = card_of(SHAPES["relu"])
    fp32, bf16 = (
        Runtime.of(states["relu"], card, runtime=name, device="cpu", precision=precision, threads=1).segment(
            scan
        )[scan.lung_mask]
        for precision in ("fp32", "bf16")
    )
    assert 0 < np.abs(bf16 - fp32).mean() < 0.01
    one, other = fp32 > 0.5, bf16 > 0.5
    assert 0.3 < one.mean() < 0.7  # random weights: about half of what was looked at
    assert one.mean() == pytest.approx(other.mean(), abs=0.01)
    assert np.abs(fp32[one != other] - 0.5).max() < 0.1


def test_threads_change_no_bit(name, scan, states):
    card = card_of(SHAPES["relu"])
    one, two = (
        Runtime.of(states["relu"], card, runtime=name, device="cpu", precision="fp32", threads=threads)
        for threads in (1, 2)
    )
    assert (two.hardware()["threads"], two.hardware()["kind"]) == (2, "cpu")
    np.testing.assert_array_equal(one.segment(scan), two.segment(scan))


@pytest.fixture
def installed(monkeypatch):
    """Pretend that only some libraries are installed."""

    def only(*names: str) -> None:
        packages = {"onnx": "onnxruntime"}
        found = {packages.get(name, name) for name in names}
        monkeypatch.setattr(
            runtime, "find_spec", lambda package: find_spec("json") if package in found else None
        )
        monkeypatch.setattr(runtime, "_has_gpu", lambda: False)

    return only


@pytest.mark.parametrize(
    ("present", "asked", "bf16_here", "chosen"),
    [
        (("onnx",), ("auto", "auto", "auto"), True, ("onnx", "cpu", "fp32")),
        (("onnx", "torch"), ("auto", "auto", "auto"), True, ("onnx", "cpu", "fp32")),
        (("onnx", "torch", "openvino"), ("auto", "auto", "auto"), True, ("openvino", "cpu", "bf16")),
        (("onnx", "torch", "openvino"), ("auto", "auto", "auto"), False, ("openvino", "cpu", "fp32")),
        (("torch",), ("auto", "auto", "auto"), False, ("torch", "cpu", "fp32")),
        (("onnx", "torch"), ("auto", "cpu", "bf16"), True, ("torch", "cpu", "bf16")),
        (("onnx", "torch", "openvino"), ("auto", "cpu", "bf16"), True, ("openvino", "cpu", "bf16")),
        (("onnx", "torch", "openvino"), ("auto", "cpu", "bf16"), False, ("torch", "cpu", "bf16")),
        (("onnx", "torch"), ("torch", "cpu", "fp32"), True, ("torch", "cpu", "fp32")),
    ],
)
def test_the_runtime_is_the_fastest_that_is_installed(
    present, asked, bf16_here, chosen, installed, monkeypatch
):
    installed(*present)
    monkeypatch.setattr(runtime, "has_native_bf16", lambda: bf16_here)
    assert runtime._chosen(*asked) == chosen


@pytest.mark.parametrize(
    ("present", "asked", "reason"),
    [
        (("onnx", "openvino"), ("openvino", "cpu", "bf16"), "does not multiply bf16"),
        (("onnx", "openvino"), ("auto", "cpu", "bf16"), r"install equipoise\[inference\]"),
        (("onnx",), ("torch", "auto", "auto"), r"torch is not installed: install equipoise\[inference\]"),
        (("onnx",), ("openvino", "auto", "auto"), r"install equipoise\[openvino\]"),
        (("onnx",), ("onnx", "cpu", "bf16"), "no bf16"),
        (("onnx", "torch"), ("onnx", "cuda", "auto"), "on a GPU use torch"),
        ((), ("auto", "cpu", "auto"), "onnx is not installed"),
    ],
)
def test_a_runtime_that_is_not_there_is_named(present, asked, reason, installed, monkeypatch):
    installed(*present)
    monkeypatch.setattr(runtime, "has_native_bf16", lambda: False)
    with pytest.raises(RuntimeMissingError, match=reason):
        runtime._chosen(*asked)


def test_bf16_that_no_installed_runtime_has_names_the_one_that_would(installed, monkeypatch):
    installed("onnx")
    monkeypatch.setattr(runtime, "has_native_bf16", lambda: True)
    with pytest.raises(RuntimeMissingError, match=r"install equipoise\[openvino\]"):
        runtime._chosen("auto", "cpu", "bf16")


@pytest.mark.parametrize("wrong", [{"runtime": "tflite"}, {"device": "tpu"}, {"precision": "fp8"}])
def test_choices_that_are_none_are_refused(wrong):
    shape = UNetShape(width=1)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Runtime.of(random_state(shape), card_of(shape), **wrong)


def test_a_gpu_that_is_not_there_is_missed():
    torch = pytest.importorskip("torch", reason="the extra `inference` is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    shape = UNetShape(width=1)
    with pytest.raises(RuntimeMissingError, match="No CUDA device"):
        Runtime.of(random_state(shape), card_of(shape), device="cuda")


def test_a_model_of_the_other_kind_is_refused(scan):
    shape = UNetShape(width=1)
    model = Runtime.of(random_state(shape), card_of(shape), runtime="onnx")
    with pytest.raises(WeightsError, match="no classification model"):
        model.classify(np.zeros((512, 512), np.float32))
    vgg = VggShape(width=1, units=2)
    with pytest.raises(WeightsError, match="no segmentation model"):
        Runtime.of(random_state(vgg), card_of(vgg), runtime="onnx").segment(scan)


def test_the_onnx_graph_is_valid_and_has_the_published_parameters():
    from onnx.checker import check_model

    from equipoise.inference.onnx_graph import onnx_model

    shape = UNetShape(width=2, activation="elu", scale=0.5)
    model = onnx_model(random_state(shape), card_of(shape))
    check_model(model, full_check=True)
    check_model(onnx_model(random_state(VggShape(width=2)), card_of(VggShape(width=2))), full_check=True)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert [node.input[1] for node in convolutions] == [f"conv_{number:02d}.weight" for number in range(24)]
    full = UNetShape()
    assert sum(int(np.prod(size)) for size in weight_shapes(full).values()) == 31_031_685


WITHOUT_TORCH = """
import sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "openvino"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
import equipoise.inference.runtime as runtime
found = runtime.find_spec
def find_spec(name):
    try:
        return found(name)
    except ModuleNotFoundError:
        return None
runtime.find_spec = find_spec
from equipoise.cli.main import main
sys.argv = ["equipoise", *sys.argv[1:]]
try:
    main()
finally:
    assert not {"torch", "openvino"} & set(sys.modules)
"""


def test_everything_but_training_runs_without_torch(tmp_path):
    from equipoise.imaging import Grid, ImageVolume
    from equipoise.imaging.export import write_image_nrrd
    from equipoise.simulation import thorax_phantom

    shape = UNetShape(width=1, scale=1 / 45)
    write_state(random_state(shape), tmp_path / "unet.safetensors", card_of(shape))
    phantom = thorax_phantom(np.random.default_rng(1), shape=(14, 64, 64), spacing_mm=(20.0, 6.4, 6.4))
    scan = ImageVolume(phantom.image, Grid(phantom.image.shape, phantom.spacing_mm))
    write_image_nrrd(scan, tmp_path / "scan.nrrd")
    script = tmp_path / "without_torch.py"
    script.write_text(WITHOUT_TORCH)
    arguments = ["infer", "nsclc", "scan.nrrd", "--output", "out", "--weights", "unet.safetensors"]
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out" / "scan" / "result.json").read_text()
    assert '"runtime": "onnxruntime' in report


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_heat_maps_are_those_of_captum(name, seed):
    torch = pytest.importorskip("torch", reason="the extra `inference` is not installed")
    if not os.environ.get("CI"):
        pytest.importorskip("captum", reason="the extra `parity` is not installed")
    from captum.attr import LayerGradCam

    from equipoise.inference.weights import network_of

    shape = VggShape(width=4, units=16)
    state, card = random_state(shape, seed=seed), card_of(shape)
    plane = np.random.default_rng(seed).random((96, 128), dtype=np.float32)
    model = Runtime.of(state, card, runtime=name, device="cpu", precision="fp32", threads=1)
    network = network_of(state, card)
    image = torch.from_numpy(plane)[None, None].repeat(1, 3, 1, 1)
    grad_cam = LayerGradCam(network, network.features[29])
    for target in (0, 1):
        expected = grad_cam.attribute(image, target=target, relu_attributions=True)[0, 0].detach().numpy()
        heat = model.classify(plane, target=target)[1]
        assert (heat.max() > 0) == (expected.max() > 0)
        np.testing.assert_allclose(heat, expected / (expected.max() or 1), atol=TOLERANCE)


@pytest.mark.parametrize(
    "path",
    sorted((Path(runtime.__file__).parent / "models").glob("*.safetensors")),
    ids=lambda path: path.stem,
)
def test_models_of_the_package_give_in_every_runtime_what_torch_gives(name, path):
    torch = pytest.importorskip("torch", reason="the extra `inference` is not installed")
    from equipoise.inference.weights import load_weights

    network, card = load_weights(path)
    model = Runtime.load(path, runtime=name, device="cpu", precision="fp32", threads=1)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        if card.architecture == "unet":
            bins = rng.integers(0, 46, (1, 1, 96, 128)).astype(np.float32)
            result, expected = model.engine.run(bins), network.logits(torch.from_numpy(bins))
            np.testing.assert_allclose(expit(result), expit(expected.numpy()), atol=TOLERANCE)
        else:
            plane = rng.random((512, 512), dtype=np.float32)
            expected = network(torch.from_numpy(plane)[None, None].repeat(1, 3, 1, 1))
            np.testing.assert_allclose(model.classify(plane)[0], expected[0].numpy(), atol=TOLERANCE)
