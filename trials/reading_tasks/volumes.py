"""What every screen of a whole volume is sent: where the voxels lie, windows with keys, how contours are drawn."""

from typing import Any

from rest_framework import serializers

from trials.domain.protocol.tasks import VolumeDisplay
from trials.models import CaseImage, Reading
from trials.reading_tasks.contract import ShownWindow

STYLE = {"colour": "#FFD60A", "width_px": 2, "halo_px": 1}
"""Of every contour, whoever made it."""
_KEYS = "123456789"


class GridSerializer(serializers.Serializer[Any]):
    """Where an image's voxels lie: what a mask is drawn on, and by what a second series is laid over the first."""

    shape_zyx = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    spacing_mm_zyx = serializers.ListField(child=serializers.FloatField(), read_only=True)
    origin_mm_xyz = serializers.ListField(child=serializers.FloatField(), read_only=True)
    direction = serializers.ListField(child=serializers.FloatField(), read_only=True)


class ContourStyleSerializer(serializers.Serializer[Any]):
    """How the contour is drawn."""

    colour = serializers.CharField(read_only=True)
    width_px = serializers.IntegerField(read_only=True)
    halo_px = serializers.IntegerField(read_only=True)


class FusedWindowSerializer(serializers.Serializer[Any]):
    """Stored values of the second series at the two ends of its colours."""

    lowest = serializers.IntegerField(read_only=True)
    highest = serializers.IntegerField(read_only=True)


class VolumeSetupSerializer(serializers.Serializer[Any]):
    """What a volume's screen is sent, whatever its task."""

    grids = GridSerializer(many=True, read_only=True)
    style = ContourStyleSerializer(read_only=True)  # type: ignore[assignment]  # a field of this name, not DRF's argument
    fused = FusedWindowSerializer(read_only=True, allow_null=True)
    show_volume = serializers.BooleanField(read_only=True)
    show_clock = serializers.BooleanField(read_only=True)


def volume_windows(display: VolumeDisplay, *, after: int = 0) -> tuple[tuple[ShownWindow, ...], int]:
    """Return the windows of a volume's screen with their keys, and which of them is the first.

    The first ``after`` digits are the task's own; a window for which no digit is left has no key.
    """
    keys = _KEYS[after:].ljust(len(display.windows))
    windows = tuple(
        ShownWindow(key=key.strip(), label=window.name, width=window.width_hu, level=window.level_hu)
        for key, window in zip(keys, display.windows, strict=False)
    )
    names = [window.name for window in display.windows]
    return windows, names.index(display.start_window)


def grid_document(image: CaseImage) -> dict[str, Any]:
    """Return where an image's voxels lie."""
    grid = image.volume.grid
    return {
        "shape_zyx": list(grid.shape_zyx),
        "spacing_mm_zyx": list(grid.spacing_mm_zyx),
        "origin_mm_xyz": list(grid.origin_mm_xyz),
        "direction": [cosine for row in grid.direction_3x3 for cosine in row],
    }


def fused_window(reading: Reading, display: VolumeDisplay) -> dict[str, int] | None:
    """Return the colours' ends of the second series; None where none is shown or the case has none."""
    others = reading.item.images[1:]
    if not display.second_series or not others:
        return None
    presets = others[0].volume.window_presets
    if not presets:
        return {"lowest": 0, "highest": 1000}
    half = presets[0].width / 2
    return {"lowest": round(presets[0].centre - half), "highest": round(presets[0].centre + half)}


def volume_setup(reading: Reading, display: VolumeDisplay) -> dict[str, Any]:
    """Return what :class:`VolumeSetupSerializer` writes."""
    return {
        "grids": [grid_document(image) for image in reading.item.images],
        "style": STYLE,
        "fused": fused_window(reading, display),
        "show_volume": display.show_volume,
        "show_clock": display.show_clock,
    }
