"""The bone-scan network's head and its Grad-CAM in closed form: numbers from the last convolution's maps alone.

For this head the gradient of a class probability at the last convolution is one number per channel, so the heat map
costs a weighted sum. No gradient machinery is needed, and any engine that returns the maps can explain itself.

References
----------
Selvaraju et al. Grad-CAM: visual explanations from deep networks via gradient-based localization. ICCV 2017.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def classify_maps(
    maps: FloatArray, weights: Mapping[str, NDArray[Any]], *, target: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return class probabilities and the Grad-CAM map of the predicted or the named class.

    Parameters
    ----------
    maps : array, shape (channels, rows, columns)
        Of the last convolution, after its activation and before the last pooling; rows and columns at least 2.
    weights : mapping
        ``hidden.weight`` (units, channels), ``hidden.bias``, ``classes.weight`` (classes, units), ``classes.bias``.
    target : int, optional
        The class to explain; the predicted one by default.

    Returns
    -------
    probabilities : array, shape (classes,)
    heat : array, shape (rows, columns)
        From 0 to 1; all 0 where nothing speaks for the class.

    Notes
    -----
    With p = softmax(W2 relu(u) + b2), u = W1 m + b1 and m the mean of the max-pooled maps, the gradient of p_c with
    respect to m is p_c ((e_c - p) W2 * [u > 0]) W1. Max-pooling hands it to one pixel of four, the mean shares it
    equally: the average gradient of a channel is that number over the pixels, and scaling each map to a maximum of
    1 takes the common factor away. p_c > 0 goes with it.
    """
    wide = {name: np.asarray(weights[name], np.float64) for name in _HEAD}
    before = wide["hidden.weight"] @ _pooled_mean(maps) + wide["hidden.bias"]
    scores = wide["classes.weight"] @ np.maximum(before, 0) + wide["classes.bias"]
    exponents = np.exp(scores - scores.max())
    probabilities = exponents / exponents.sum()
    chosen = int(probabilities.argmax()) if target is None else target
    one_hot = np.arange(len(probabilities)) == chosen
    through_classes = ((one_hot - probabilities) @ wide["classes.weight"]) * (before > 0)
    channel_weights = (through_classes @ wide["hidden.weight"]).astype(np.float32)
    heat = np.maximum(np.tensordot(channel_weights, maps, axes=1), 0)
    highest = float(heat.max(initial=0))
    if highest > 0:
        heat = heat / np.float32(highest)
    return np.asarray(probabilities, np.float32), np.asarray(heat, np.float32)


_HEAD = ("hidden.weight", "hidden.bias", "classes.weight", "classes.bias")


def _pooled_mean(maps: FloatArray) -> NDArray[np.float64]:
    """Return the mean of every map after 2 x 2 max-pooling; an odd last row or column falls away, as in pooling."""
    channels, rows, columns = maps.shape
    even = maps[:, : rows // 2 * 2, : columns // 2 * 2]
    pooled = even.reshape(channels, rows // 2, 2, columns // 2, 2).max(axis=(2, 4))
    return np.asarray(pooled.mean(axis=(1, 2), dtype=np.float64))
