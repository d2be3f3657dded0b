"""Random streams by name: the same numbers for the same thing, whoever computes it and in which order."""

import numpy as np


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one thing under a seed.

    Parameters
    ----------
    seed : int
        Of the simulation; non-negative.
    *key : int
        What the numbers are for (reader 3, reading 17): non-negative. Different keys give independent streams, so
        results do not depend on the number of workers or their order.

    Examples
    --------
    >>> float(stream(1, 3, 17).random()) == float(stream(1, 3, 17).random())
    True
    """
    if seed < 0 or any(part < 0 for part in key):
        raise ValueError(f"seed and key must not be negative, got {seed} and {key}.")
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
