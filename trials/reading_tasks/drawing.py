"""A drawn contour as a browser sends it: checked against the image, measured here, and put into files.

Nothing that the browser says of the mask is believed: volume, diameter and polygons are made from the voxels.
"""

import base64
import binascii
import gzip
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask, decode_mask, encode_mask
from equipoise.imaging.outline import boundary_loops
from equipoise.metrics import longest_axial_diameter_mm
from trials.models import Response
from trials.reading_tasks.contract import REASON_CODE

DRAWING_KEYS = ("mask", "engine", "acts", "slice_ms", "origins")
"""What a browser sends of a drawing: the mask, by what it was drawn, every act, time and origin by slice."""
DRAWING_COLUMNS = (
    "volume_ml", "longest_axial_diameter_mm", "slices", "slices_interpolated", "acts", "undos", "engine",
)  # fmt: skip
MASK, LOG, POLYGONS = "mask", "log", "polygons"
"""Names of an answer's files: the voxels (EQMK1), what was done (gzip JSON), the outlines (gzip JSON)."""
MAX_ACTS = 20_000
MAX_LOG_BYTES = 12 * 1024 * 1024
ENGINES = {"equipoise-canvas": ("1",)}
"""Known drawing engines and versions. A log replays only under its own."""
ORIGINS = ("drawn", "interpolated", "given")
_TOOL = re.compile(r"^[a-z][a-z_]{0,19}$")
_LONGEST_S = 7 * 24 * 3600


def mask_of(encoded: Any, grid: Grid) -> Mask | str:
    """Return the mask of an answer, or what is wrong with it. An empty mask is no contour."""
    if not isinstance(encoded, str) or not encoded:
        return "The mask must be EQMK1 bytes in base64."
    try:
        mask = decode_mask(base64.b64decode(encoded, validate=True), wanted=grid)
    except (ValueError, binascii.Error) as error:
        return f"The mask cannot be read: {error}"
    if mask.voxel_count == 0:
        return "Nothing is drawn. Draw the structure, or say why it cannot be assessed."
    return mask


def engine_problem(engine: Any) -> str:
    """Return what is wrong with the name and version of the engine; empty if nothing is."""
    if (
        not isinstance(engine, dict)
        or set(engine) != {"name", "version"}
        or engine["version"] not in ENGINES.get(str(engine["name"]), ())
    ):
        known = ", ".join(f"{name} {version}" for name, versions in ENGINES.items() for version in versions)
        return f"The drawing engine must be one of: {known}; got {engine!r}."
    return ""


def drawing_problems(answer: Mapping[str, Any], grid: Grid) -> dict[str, str]:
    """Return what is wrong with a drawing beside its mask, by JSON pointer."""
    found = {
        "engine": engine_problem(answer.get("engine")),
        "acts": acts_problem(answer.get("acts")),
        "slice_ms": slice_times_problem(answer.get("slice_ms"), grid),
        "origins": slices_problem(
            answer.get("origins"), grid, allowed=is_origin, what="The origins of the slices"
        ),
    }
    return {f"/answer/{key}": problem for key, problem in found.items() if problem}


def slice_times_problem(slice_ms: Any, grid: Grid) -> str:
    """Return what is wrong with the milliseconds that each slice was looked at; empty if nothing is."""
    return slices_problem(slice_ms, grid, allowed=is_duration_ms, what="The times of the slices")


def acts_problem(acts: Any) -> str:
    """Return what is wrong with the log of acts; empty if nothing is."""
    if not isinstance(acts, list) or not 1 <= len(acts) <= MAX_ACTS:
        return f"The log must be a list of 1 to {MAX_ACTS} acts."
    for number, act in enumerate(acts):
        if not isinstance(act, dict) or not isinstance(act.get("tool"), str) or not _TOOL.match(act["tool"]):
            return f"Act {number} of the log names no tool."
        if not all(_is_number(act.get(name)) for name in ("startMs", "endMs")):
            return f"Act {number} of the log has no times."
    if len(_json(acts)) > MAX_LOG_BYTES:
        return f"The log is longer than {MAX_LOG_BYTES} bytes."
    return ""


def slices_problem(values: Any, grid: Grid, *, allowed: Any, what: str) -> str:
    """Return what is wrong with values by slice number; ``allowed`` judges one value."""
    if not isinstance(values, dict):
        return f"{what} must be given by slice number."
    for key, value in values.items():
        if not key.isdecimal() or int(key) >= grid.shape_zyx[0]:
            return f"{what}: the image has no slice {key!r}; it has {grid.shape_zyx[0]}, numbered from 0."
        if not allowed(value):
            return f"{what}: {value!r} for slice {key} is not a value of it."
    return ""


def is_duration_ms(value: Any) -> bool:
    """Say whether a value can be the milliseconds that a slice was looked at."""
    return _is_number(value) and 0 <= value <= _LONGEST_S * 1000


def is_origin(value: Any) -> bool:
    """Say whether a value names where a slice's contour comes from."""
    return value in ORIGINS


def files_of(mask: Mask, acts: list[Any]) -> dict[str, bytes]:
    """Return what is kept in the store of a checked answer."""
    return {MASK: encode_mask(mask), LOG: _packed(acts), POLYGONS: _packed(polygons_of(mask))}


def polygons_of(mask: Mask) -> dict[str, list[list[list[float]]]]:
    """Return the closed loops of every slice, (x, y) in pixels, whole numbers at pixel centres; filling them by the
    even-odd rule gives back the mask."""
    return {
        str(z): [loop.tolist() for loop in boundary_loops(mask.array[z])]
        for z in range(mask.array.shape[0])
        if mask.array[z].any()
    }


def measures_of(mask: Mask, acts: list[Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """Return what is stored of a mask beside its files."""
    tools = [act["tool"] for act in acts]
    return {
        "volume_ml": mask.volume_ml,
        "longest_axial_diameter_mm": longest_axial_diameter_mm(
            mask.array, mask.grid.spacing_mm_zyx
        ).length_mm,
        "voxel_count": mask.voxel_count,
        "slices": int(mask.array.any(axis=(1, 2)).sum()),
        "slices_interpolated": sum(
            origin == "interpolated" and bool(mask.array[int(z)].any()) for z, origin in origins.items()
        ),
        "acts": len(tools),
        "undos": tools.count("undo"),
        "tools": {tool: tools.count(tool) for tool in sorted(set(tools))},
    }


def drawing_columns(response: Response | None) -> dict[str, Any]:
    """Return the columns of a drawn contour, empty where there is none."""
    answer = response.answer if response is not None else {}
    engine = answer.get("engine") or {}
    return {
        **{name: answer.get(name) for name in DRAWING_COLUMNS if name != "engine"},
        "engine": f"{engine['name']}/{engine['version']}" if engine else None,
        REASON_CODE: answer.get(REASON_CODE),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _packed(value: Any) -> bytes:
    """Equal values give equal bytes: no time is written into the archive."""
    return gzip.compress(_json(value), mtime=0)
