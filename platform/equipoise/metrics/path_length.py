"""The length of contour that somebody has to redraw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equipoise.metrics._box import foreground_box
from equipoise.metrics._validation import Mask, Spacing, validated_pair, validated_spacing


@dataclass(frozen=True)
class AddedPathLength:
    """Contour of the reference that the candidate does not have: in pixels, and in mm."""

    n_pixels: int
    length_mm: float


def added_path_length(
    reference: npt.ArrayLike, candidate: npt.ArrayLike, spacing_mm: Sequence[float]
) -> AddedPathLength:
    """Measure the path that must be added to the candidate to obtain the reference's contour.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.

    Returns
    -------
    AddedPathLength
        Pixels and mm; 0 for an empty reference.

    Notes
    -----
    Slice by slice, a contour pixel is foreground with background across one of its four in-plane edges;
    beyond the image lies background. Counted are the reference's contour pixels that are not on the
    candidate's contour; a slice without candidate counts fully, one without reference not at all. Length is
    the count times the mean in-plane spacing. Not symmetric in its arguments.

    References
    ----------
    .. [1] Vaassen et al. Evaluation of measures for assessing time-saving of automatic organ-at-risk
       segmentation in radiotherapy. Phys Imaging Radiat Oncol 13, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.ones((1, 3, 3), bool)
    >>> added_path_length(reference, np.zeros_like(reference), (3, 1, 1))  # the middle pixel is no contour
    AddedPathLength(n_pixels=8, length_mm=8.0)
    """
    first, second = validated_pair(reference, candidate)
    spacing = validated_spacing(spacing_mm)
    box = foreground_box(first)
    if box is None:
        return AddedPathLength(0, 0.0)
    # Whether the candidate's pixel is on its contour depends on pixels one step outside the reference's box.
    wide = tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in box)
    crops = (np.pad(mask[wide], 1) for mask in (first, second))
    return added_path_length_of_contours(*(in_plane_contour(crop) for crop in crops), spacing_mm=spacing)


def added_path_length_of_contours(
    reference: Mask, candidate: Mask, *, spacing_mm: Spacing
) -> AddedPathLength:
    """Return the added path length from two contour maps of one shape."""
    n_pixels = int(np.count_nonzero(reference & ~candidate))
    return AddedPathLength(n_pixels, n_pixels * (spacing_mm[1] + spacing_mm[2]) / 2)


def in_plane_contour(padded: Mask) -> Mask:
    """Return the in-plane contour pixels of a mask that has a margin of background on every side."""
    core = padded[:, 1:-1, 1:-1]
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    contour: Mask = core & ~inner
    return contour
