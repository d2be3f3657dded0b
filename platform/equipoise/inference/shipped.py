"""The models that come with the package: narrow ones, trained on phantoms, for trying the platform out."""

from pathlib import Path

from equipoise.inference.errors import WeightsError

FOLDER = Path(__file__).parent / "models"
"""Where their weights and cards lie."""

SHIPPED = {"nsclc": "nsclc-narrow.safetensors", "bone-scan": "bone-scan-narrow.safetensors"}
"""Pipeline -> weights."""


def shipped_model(pipeline: str) -> Path:
    """Return the weights that come with the package for a pipeline, their card beside them.

    Raises
    ------
    WeightsError
        If none do: the published pipeline's weights are their authors'.
    """
    if pipeline not in SHIPPED:
        raise WeightsError(
            f"No model comes with Equipoise for the pipeline {pipeline}; there is one for {' and '.join(SHIPPED)}. "
            "Import the weights with `equipoise weights import`."
        )
    return FOLDER / SHIPPED[pipeline]
