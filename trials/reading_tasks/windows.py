"""Display windows of tasks on single images: the protocol's, or those that fit the image."""

from trials.domain.protocol.tasks import PlanarDisplay
from trials.models import Reading
from trials.reading_tasks.contract import ShownWindow

FITTED_SHARES = (1.0, 0.5, 1.8)
"""Windows made from an image's own values, all from its 1st percentile on: to the 99.5th, half as far, further."""
UPTAKE_NAMES = ("Standard", "Faint uptake", "Intense uptake")
OTHER_NAMES = ("Standard", "Faint signal", "Strong signal")
"""What they are called: on scintigraphies and PET, and on any other image but CT."""
_UPTAKE = ("NM", "PT")


def image_windows(reading: Reading, display: PlanarDisplay) -> tuple[ShownWindow, ...]:
    """Return the protocol's windows, or those that fit the image. They have no keys: digits answer."""
    given: list[tuple[str, float, float]] = [
        (window.name, window.highest - window.lowest, (window.highest + window.lowest) / 2)
        for window in display.windows
    ]
    volume = reading.item.image.volume
    if not given and volume.modality == "CT":
        given = [(preset.name.capitalize(), preset.width, preset.centre) for preset in volume.window_presets]
    elif not given:
        names = UPTAKE_NAMES if volume.modality in _UPTAKE else OTHER_NAMES
        given = [
            (name, preset.width * share, preset.centre - preset.width / 2 + preset.width * share / 2)
            for preset in volume.window_presets[:1]
            for name, share in zip(names, FITTED_SHARES, strict=True)
        ]
    return tuple(
        ShownWindow(key="", label=name, width=max(1, round(width)), level=round(level))
        for name, width, level in given
    )


def value_range(reading: Reading, windows: tuple[ShownWindow, ...]) -> tuple[int, int]:
    """Return what the sliders span: the widest window and a half more, within 16 bits."""
    if reading.item.image.volume.modality == "CT" or not windows:
        return -1200, 3000
    low = min(window.level - window.width // 2 for window in windows)
    high = max(window.level + window.width // 2 for window in windows)
    return max(-32_768, min(0, low)), min(32_767, max(1, high + (high - low) // 2))
