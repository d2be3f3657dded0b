"""What training minimises.

References
----------
Milletari et al., 3DV 2016 (soft Dice). Primakov et al. Nat Commun 13, 3423 (2022): Dice and binary cross-entropy
together, Dice privileged in the first epochs.
"""

from torch import Tensor
from torch.nn import functional

DICE_AT_FIRST, DICE_LATER = 0.7, 0.5
"""Weight of Dice in the first epoch and from the end of the privileged part on."""

PRIVILEGED = 0.3
"""Share of the epochs over which the weight of Dice falls from the first to the later one."""


def dice_weight(epoch: int, epochs: int) -> float:
    """Return the weight of Dice in an epoch (from 0); the rest is cross-entropy's.

    Examples
    --------
    >>> [round(dice_weight(epoch, 10), 2) for epoch in (0, 1, 2, 3, 9)]
    [0.7, 0.63, 0.57, 0.5, 0.5]
    """
    part = min(epoch / max(PRIVILEGED * epochs, 1e-9), 1.0)
    return DICE_AT_FIRST + part * (DICE_LATER - DICE_AT_FIRST)


FALSE_ALARM_PIXELS = 200.0
"""So many pixels of false alarm on an image without a tumour cost half of what the largest could."""


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft Dice over the images of a batch that show a tumour; 0 if none does.

    Images without one would pull every probability to 0 here, and a network that has gone there does not come back:
    their false alarms are :func:`false_alarm_loss`'s.
    """
    shows = target.flatten(1).any(dim=1)
    if not bool(shows.any()):
        return logits.sum() * 0.0
    probability, truth = logits[shows].sigmoid(), target[shows]
    both = (probability * truth).sum()
    return 1 - (2 * both + 1) / (probability.sum() + truth.sum() + 1)


def false_alarm_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return how much is marked on the images that show no tumour, from 0 to 1; 0 if all show one.

    Cross-entropy is a mean over pixels: a false lesion, which may become the largest, hardly counts in it.
    """
    empty = ~target.flatten(1).any(dim=1)
    if not bool(empty.any()):
        return logits.sum() * 0.0
    marked = logits[empty].sigmoid().flatten(1).sum(dim=1)
    return (marked / (marked + FALSE_ALARM_PIXELS)).mean()


def segmentation_loss(logits: Tensor, target: Tensor, *, weight: float) -> Tensor:
    """Return ``weight`` parts of Dice and false alarms, the rest of cross-entropy; images are ``(n, ...)``."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target)
    overlap = 0.7 * dice_loss(logits, target) + 0.3 * false_alarm_loss(logits, target)
    return weight * overlap + (1 - weight) * entropy
