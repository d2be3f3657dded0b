"""The networks are the published ones, and Grad-CAM's closed form is its gradient."""

import os

import numpy as np
import pytest

if not os.environ.get("CI"):
    pytest.importorskip("torch", reason="the extra `inference` is not installed")

import torch
from torch.nn import functional

from equipoise.inference import shapes, unet, vgg
from equipoise.inference.grad_cam import classify_maps
from equipoise.inference.weights import state_of


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


PUBLISHED_LAYERS = [
    (640, 36_928),
    (73_856, 147_584),
    (295_168, 590_080),
    (1_180_160, 2_359_808),
    (4_719_616, 9_438_208),
    (2_097_664, 4_719_104, 2_359_808),
    (524_544, 1_179_904, 590_080),
    (131_200, 295_040, 147_584),
    (32_832, 73_792, 36_928),
    (1_154, 3),
]


def test_unet_has_the_published_parameters_layer_by_layer():
    expected = [count for block in PUBLISHED_LAYERS for count in block]
    with torch.device("meta"):
        network = unet.UNet()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in convolutions] == expected
    assert sum(p.numel() for p in network.parameters()) == 31_031_685 == shapes.UNET_PARAMETERS


def test_unet_runs_its_layers_in_the_published_order():
    network = unet.UNet(unet.UNetShape(width=2))
    seen = []
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.append((name, out.shape[2])))
    network.eval()(torch.zeros(1, 1, 32, 32))
    sizes = [32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32]
    assert seen == [(f"conv_{number:02d}", size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_unet_equals_the_graph_written_out_in_numpy_terms(activation):
    shape = unet.UNetShape(width=3, activation=activation)
    network = unet.UNet(shape).eval()
    unet.initialise(network, seed=5)
    bins = torch.randint(0, 46, (1, 1, 32, 48), generator=torch.Generator().manual_seed(1)).float()
    w = dict(network.named_parameters())
    act = functional.relu if activation == "relu" else functional.elu

    def conv(x, n):
        kernel = w[f"conv_{n:02d}.weight"]
        if kernel.shape[2] == 2:  # 'same' of an even kernel: bottom and right
            x = torch.cat([x, torch.zeros_like(x[:, :, :1])], dim=2)
            x = torch.cat([x, torch.zeros_like(x[:, :, :, :1])], dim=3)
        padding = 1 if kernel.shape[2] == 3 else 0
        return functional.conv2d(x, kernel, w[f"conv_{n:02d}.bias"], padding=padding)

    def up(x):
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    def pool(x):
        n, c, rows, columns = x.shape
        return x.reshape(n, c, rows // 2, 2, columns // 2, 2).amax(dim=(3, 5))

    one = act(conv(act(conv(bins, 0)), 1))
    two = act(conv(act(conv(pool(one), 2)), 3))
    three = act(conv(act(conv(pool(two), 4)), 5))
    four = act(conv(act(conv(pool(three), 6)), 7))
    x = act(conv(act(conv(pool(four), 8)), 9))
    for skip, n in ((four, 10), (three, 13), (two, 16), (one, 19)):
        x = torch.cat([skip, act(conv(up(x), n))], dim=1)
        x = act(conv(act(conv(x, n + 1)), n + 2))
    expected = torch.sigmoid(conv(act(conv(x, 22)), 23))
    with torch.no_grad():
        torch.testing.assert_close(network(bins), expected, rtol=0, atol=1e-5)


def test_unet_draws_the_same_weights_from_the_same_seed():
    one, other, third = (unet.UNet(unet.UNetShape(width=2)) for _ in range(3))
    unet.initialise(one, seed=7)
    unet.initialise(other, seed=7)
    unet.initialise(third, seed=8)
    assert torch.equal(one.conv_05.weight, other.conv_05.weight)
    assert not torch.equal(one.conv_05.weight, third.conv_05.weight)
    assert bool((one.conv_23.weight > 0).all() and (third.conv_23.weight > 0).all()), "any pixel can be sure"


@pytest.mark.parametrize("wrong", [{"width": 0}, {"activation": "tanh"}])
def test_unet_shapes_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        unet.UNetShape(**wrong)


def test_vgg_has_the_published_parameters():
    with torch.device("meta"):
        network = vgg.VggClassifier()
    count = sum(p.numel() for p in network.parameters())
    assert count == 14_714_688 + 512 * 513 + 2 * 513 == shapes.VGG_PARAMETERS
    convolutions = [name for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)]
    assert convolutions == [f"features.{n}" for n in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]


def small_vgg(seed: int) -> vgg.VggClassifier:
    torch.manual_seed(seed)
    network = vgg.VggClassifier(vgg.VggShape(width=4, units=16)).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return network


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("target", [None, 0, 1])
@pytest.mark.parametrize("size", [(64, 96), (80, 48)], ids=["even maps", "odd maps"])
def test_grad_cam_is_the_gradient_that_autograd_finds(seed, target, size):
    network = small_vgg(seed)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    maps = network.last_convolution(image).detach().requires_grad_()
    probabilities, heat = classify_maps(maps[0].detach().numpy(), state_of(network), target=target)
    assert heat.shape == (size[0] // 16, size[1] // 16)
    out = network.head(maps)
    np.testing.assert_allclose(probabilities, out[0].detach().numpy(), atol=1e-6)
    out[0, int(out.argmax()) if target is None else target].backward()
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    expected = functional.relu((weights * maps.detach()).sum(dim=1))[0].numpy()
    if expected.max() > 0:
        expected = expected / expected.max()
    np.testing.assert_allclose(heat, expected, atol=1e-5)
    assert float(heat.max()) in (0.0, pytest.approx(1.0))


def test_grad_cam_of_nothing_is_nothing():
    network = small_vgg(1)
    torch.nn.init.zeros_(network.classes.weight)
    maps = np.random.default_rng(1).random((32, 2, 2), dtype=np.float32)
    probabilities, heat = classify_maps(maps, state_of(network))
    assert heat.tolist() == [[0, 0], [0, 0]]
    assert probabilities.sum() == pytest.approx(1.0)
