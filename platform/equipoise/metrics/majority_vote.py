"""A consensus of several observers: each voxel as most of them saw it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from equipoise.metrics._validation import Mask, validated_masks


def majority_vote(masks: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]) -> Mask:
    """Return the mask of the voxels that more than half of the observers marked.

    Parameters
    ----------
    masks
        Several observers' masks ``(z, y, x)``, named or in a sequence, of one shape.

    Returns
    -------
    numpy.ndarray
        Boolean mask ``(z, y, x)``. A tie, possible with an even number of observers, is background.

    Raises
    ------
    TypeError, ValueError
        If there is no mask, or they are not binary and of one shape.
    """
    named = masks if isinstance(masks, Mapping) else {str(number): mask for number, mask in enumerate(masks)}
    if not named:
        raise ValueError("'masks' must hold at least one observer's mask, not none.")
    checked = list(validated_masks(named).values())
    votes = np.zeros(checked[0].shape, dtype=np.uint16)
    for mask in checked:
        votes += mask
    consensus: Mask = votes > len(checked) // 2
    return consensus
