"""Model cards: what a weights file is, beside it as JSON. Reading one needs no torch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from equipoise.inference.errors import WeightsError

PIPELINES = {"nsclc": "unet", "nsclc-published": "unet", "bone-scan": "vgg"}
"""Pipeline -> the architecture that it runs."""

INPUT_CONTRACTS = {
    "unet": "(1, 1, rows, columns): bins 0 to 45 of 25 HU from -1000 HU, 1 mm pixels, outside of the lungs 0",
    "vgg": "(1, 3, 512, 512): anterior and posterior view side by side, each 0 to 1, three equal channels",
}
"""What each architecture is fed, in words."""

PUBLISHED_THRESHOLD = 0.99
"""Operating threshold of the published segmentation code."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a model; the weights' hash ties the card to its file.

    Attributes
    ----------
    threshold : float
        Probability above which a pixel or a scan counts as positive.
    shape : mapping
        Arguments of the network (``UNetShape`` or ``VggShape``).
    demonstration : bool
        Whether the model is for trying things out alone; every result then says so.
    scores : mapping
        Scores by name; what begins with ``held_out`` is of cases that no choice was made on.
    training, evaluation : mapping
        How the model was made, and how it was scored, in plain values.
    """

    name: str
    version: str
    architecture: str
    shape: Mapping[str, Any]
    purpose: str
    data: str
    threshold: float = 0.5
    demonstration: bool = False
    licence: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    sha256: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.architecture not in INPUT_CONTRACTS:
            known = ", ".join(INPUT_CONTRACTS)
            raise WeightsError(
                f"The card of {self.name} names the architecture {self.architecture!r}; known are: {known}."
            )
        if not 0 < self.threshold < 1:
            raise WeightsError(
                f"The card of {self.name} has the threshold {self.threshold}; it must lie between 0 and 1."
            )

    @property
    def model_id(self) -> str:
        """Name, version and the head of the hash: results of different weights never share it."""
        return f"{self.name}-{self.version}-{self.sha256[:12]}"

    def as_json(self) -> dict[str, Any]:
        """Return the card as plain values."""
        return {**asdict(self), "input_contract": INPUT_CONTRACTS[self.architecture]}


def card_path(weights: Path) -> Path:
    """Return where the card of a weights file lies."""
    return weights.with_suffix(".json")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def write_card(card: ModelCard, weights: Path) -> None:
    """Write the card beside its weights."""
    text = json.dumps(card.as_json(), indent=2, ensure_ascii=False) + "\n"
    card_path(weights).write_text(text, encoding="utf-8")


def read_card(weights: Path) -> ModelCard:
    """Read the card beside a weights file and check that it is this file's.

    Raises
    ------
    WeightsError
        If there is no card, it is none, or the weights are not those that it describes.
    """
    path = card_path(weights)
    if not weights.is_file():
        raise WeightsError(f"{weights.name} does not exist.")
    if weights.suffix != ".safetensors":
        raise WeightsError(
            f"{weights.name} is no safetensors file. Other formats can hold programs and are not loaded; "
            "convert with `equipoise weights import`."
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document.pop("input_contract", None)
        card = ModelCard(**document)
    except FileNotFoundError as error:
        raise WeightsError(f"{weights.name} has no model card {path.name} beside it.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path.name} is no model card: {error}") from error
    found = file_sha256(weights)
    if found != card.sha256:
        raise WeightsError(
            f"{weights.name} is not the file that its card describes: its hash is {found[:12]}..., the card's "
            f"{card.sha256[:12]}..."
        )
    return card
