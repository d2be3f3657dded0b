"""The windows of tasks on single images: the protocol's, those of a CT, or those made from the image's own values."""

from types import SimpleNamespace

import pytest

from equipoise.imaging.volume import CT_WINDOWS, WindowPreset
from trials.domain.protocol.tasks import PlanarDisplay, ValueWindow
from trials.reading_tasks.windows import image_windows


def shown(modality, presets, display=None):
    """Return name, width and level of every window of an image."""
    volume = SimpleNamespace(modality=modality, window_presets=presets)
    reading = SimpleNamespace(item=SimpleNamespace(image=SimpleNamespace(volume=volume)))
    windows = image_windows(reading, display or PlanarDisplay())
    return [(one.label, one.width, one.level) for one in windows]


def test_a_ct_has_the_usual_windows_by_their_names():
    names = [name for name, _, _ in shown("CT", CT_WINDOWS)]
    assert names == ["Lung", "Mediastinum", "Bone"]


@pytest.mark.parametrize(
    ("modality", "names"),
    [
        ("NM", ["Standard", "Faint uptake", "Intense uptake"]),
        ("PT", ["Standard", "Faint uptake", "Intense uptake"]),
        ("MR", ["Standard", "Faint signal", "Strong signal"]),
    ],
)
def test_an_image_without_windows_gets_those_that_fit_it_and_only_tracers_have_uptake(modality, names):
    found = shown(modality, (WindowPreset("whole range", 60.0, 100.0),))
    assert found == list(zip(names, (100, 50, 180), (60, 35, 100), strict=True))


def test_the_protocol_s_windows_come_first():
    display = PlanarDisplay(windows=(ValueWindow(name="Brain", lowest=0, highest=80),))
    assert shown("CT", CT_WINDOWS, display) == [("Brain", 80, 40)]
