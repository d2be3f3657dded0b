"""Weights that this site can run: those that ship with the package, and those that were registered here.

Registered weights lie in ``DATA_DIR/weights`` under the name of their hash, each with its card. Workers on other
machines need the same folder.
"""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from equipoise.inference.cards import PIPELINES, ModelCard, read_card
from equipoise.inference.errors import InferenceError, RuntimeMissingError
from equipoise.inference.runtime import installed_runtimes
from equipoise.inference.shipped import SHIPPED, shipped_model
from trials.domain.results import ResultTask

logger = logging.getLogger("equipoise.weights")

TASKS: dict[str, tuple[ResultTask, ...]] = {
    "nsclc": (ResultTask.PREFERENCE, ResultTask.CONTOURING),
    "nsclc-published": (ResultTask.PREFERENCE, ResultTask.CONTOURING),
    "bone-scan": (ResultTask.CLASSIFICATION,),
}
"""What each pipeline can be asked in a trial."""


@dataclass(frozen=True)
class KnownWeights:
    """A weights file with its card."""

    path: Path
    card: ModelCard
    shipped: bool

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The pipelines that run its architecture."""
        return tuple(name for name, kind in PIPELINES.items() if kind == self.card.architecture)


def weights_folder() -> Path:
    """Return where registered weights lie."""
    folder: Path = settings.DATA_DIR / "weights"
    return folder


def weights_known() -> list[KnownWeights]:
    """Return all weights of this site by name, shipped ones first; a file that is not its card's is left out."""
    paths = [(path, True) for path in shipped_files()]
    paths += [(path, False) for path in sorted(weights_folder().glob("*.safetensors"))]
    known: dict[str, KnownWeights] = {}
    for path, shipped in paths:
        try:
            card = _card(path, path.stat().st_mtime_ns)
        except (InferenceError, OSError):
            logger.exception("A weights file is not what its card says.", extra={"weights": path.name})
            continue
        known.setdefault(card.sha256, KnownWeights(path, card, shipped))
    return sorted(known.values(), key=lambda one: (not one.shipped, one.card.name, one.card.version))


def weights_of(sha256: str) -> KnownWeights | None:
    """Return the weights with this hash, if the site has them."""
    return next((one for one in weights_known() if one.card.sha256 == sha256), None)


def shipped_files() -> list[Path]:
    """Return the weights that ship with the package."""
    return [path for path in map(shipped_model, SHIPPED) if path.is_file()]


def shipped_weights(pipeline: str) -> KnownWeights | None:
    """Return the shipped weights of a pipeline, if there are any."""
    return next((one for one in weights_known() if one.shipped and pipeline in one.pipelines), None)


def runtime_missing() -> RuntimeMissingError | None:
    """Return the refusal if no library that runs networks is installed; none is loaded to find out."""
    if installed_runtimes():
        return None
    return RuntimeMissingError(
        "Nothing that runs networks is installed here: install equipoise (with onnxruntime), or equipoise[inference] "
        "for torch."
    )


@lru_cache(maxsize=64)
def _card(path: Path, changed_ns: int) -> ModelCard:  # noqa: ARG001 - a changed file is read again
    return read_card(path)
