"""The published preprocessing, step by step and slice by slice, by scipy and scikit-image: slow and plain."""

import math

import numpy as np
from scipy import ndimage
from skimage.filters import roberts
from skimage.measure import label, regionprops
from skimage.segmentation import clear_border

KERNEL = np.zeros((11, 11), bool)
KERNEL[1:10, 1:10] = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4
for _y, _x in ((4, 1), (4, 9), (6, 1), (6, 9)):
    KERNEL[_y, _x] = KERNEL[_x, _y] = True


def resized(volume: np.ndarray, rows: int, columns: int) -> np.ndarray:
    def index(source: int, target: int) -> list[int]:
        return [min(math.floor(i * (1.0 / (target / source))), source - 1) for i in range(target)]

    return volume[:, index(volume.shape[1], rows)][:, :, index(volume.shape[2], columns)]


def placed(volume: np.ndarray) -> np.ndarray:
    n = volume.shape[1]
    if n > 512:
        at = int((n - 512) / 2)
        return volume[:, at : at + 512, at : at + 512]
    plane = np.full((len(volume), 512, 512), -1000, volume.dtype)
    at = int((512 - n) / 2)
    plane[:, at : at + n, at : at + n] = volume
    return plane


def lung_slice(hu: np.ndarray) -> np.ndarray:
    labels = label(clear_border(hu < -320))
    areas = sorted(region.area for region in regionprops(labels))
    if len(areas) > 2:
        for region in regionprops(labels):
            if region.area < areas[-3]:
                labels[labels == region.label] = 0
    edges = roberts((labels > 0).astype(float)) > 0
    solid = ndimage.binary_fill_holes(edges)
    pieces, count = ndimage.label(solid)
    for piece in range(1, count + 1):
        if (pieces == piece).sum() / solid.size < 0.0069:
            solid[pieces == piece] = False
    return solid


def lungs_of(plane: np.ndarray) -> np.ndarray:
    solid = np.stack([lung_slice(hu) for hu in plane])
    pieces, count = ndimage.label(solid, np.ones((3, 3, 3)))
    sizes = {}
    for piece in range(1, count + 1):
        if ndimage.center_of_mass(pieces == piece)[1] <= 0.75 * plane.shape[1]:
            sizes[piece] = int((pieces == piece).sum())
    largest = max(sizes, key=lambda piece: sizes[piece])
    others = [p for p, size in sizes.items() if 0.6 < size / sizes[largest] < 1]
    return np.isin(pieces, [largest, *others] if len(others) == 1 else [largest])


def midline_of(plane: np.ndarray, first: int, last: int) -> int:
    middles = []
    for z in range(first, last + 1):
        counts = (plane[z] > 100).sum(axis=0)
        columns = np.flatnonzero(counts > 0.15 * counts.max())
        middles.append((columns[0] + columns[-1]) / 2)
    return int(np.mean(middles))


def dilated(mask: np.ndarray, times: int) -> np.ndarray:
    return np.asarray(ndimage.binary_dilation(mask, KERNEL, iterations=times, border_value=0))


def eroded(mask: np.ndarray, times: int) -> np.ndarray:
    return np.asarray(ndimage.binary_erosion(mask, KERNEL, iterations=times, border_value=1))


def mirrored(mask: np.ndarray, middle: int) -> np.ndarray:
    if middle == mask.shape[1] / 2:
        return np.asarray(mask | mask[:, ::-1])
    half = max(middle, mask.shape[1] - middle)
    left, right = np.zeros((2, mask.shape[0], half), bool)
    left[:, half - middle :] = mask[:, :middle]
    right[:, : mask.shape[1] - middle] = mask[:, middle:]
    left, right = dilated(left, 1), dilated(right, 1)
    both = np.concatenate(
        [right[:, ::-1][:, half - middle :], left[:, ::-1][:, : mask.shape[1] - middle]], axis=1
    )
    return np.asarray(mask | both)


def prepared(hu: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, int, np.ndarray]:
    """Return bins, first slice and mask."""
    _, rows, columns = hu.shape
    plane = placed(resized(hu, int(spacing[2] * rows), int(spacing[1] * columns)))
    mask = lungs_of(plane)
    seen = np.flatnonzero(mask.any(axis=(1, 2)))
    first, last = int(seen[0]), int(seen[-1])
    middle = midline_of(plane, first, last)
    for z, lung in enumerate(mask):
        if lung.any():
            closed = eroded(dilated(mirrored(lung, middle), 7), 7)
            mask[z] = eroded(dilated(closed, 2), 1)
    if first > 2 and last < len(mask) - 2:
        for step in (1, 2):
            mask[first - step], mask[last + step] = mask[first], mask[last]
        first, last = first - 2, last + 2
    kept = np.where(mask, plane, -1000)[first:last]
    kept = np.clip(kept, -1000, 150).astype(int) + 1000
    bins = np.minimum(kept // 25, math.ceil(kept.max() / 25) - 1)
    return bins.astype(np.uint8), first, mask[first:last]
