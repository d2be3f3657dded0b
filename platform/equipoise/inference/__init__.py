"""Algorithms on images: lung-tumour segmentation, bone-scan classification with heat maps. No Django, no database.

Preparing a scan and measuring a result need numpy and scipy alone. A network is run by onnxruntime, OpenVINO or torch
(:class:`Runtime`); only training needs torch. The public names are imported on first use, and so are the libraries.

Conventions
-----------
Arrays are ``(z, y, x)``, turned the usual way round (``equipoise.imaging.geometry.display_transform``): x to the
patient's left, y to the back, z to the head. A *plane* is the square of 1 mm pixels that a network sees.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.inference.errors import InferenceError, InferenceWarning
    from equipoise.inference.lungs import LungIsolation, isolate_lungs
    from equipoise.inference.nsclc import prepare_nsclc
    from equipoise.inference.nsclc_published import prepare_nsclc_published
    from equipoise.inference.prepared import PreparedScan
    from equipoise.inference.runtime import Runtime

_HOMES = {
    "InferenceError": "errors",
    "InferenceWarning": "errors",
    "LungIsolation": "lungs",
    "PreparedScan": "prepared",
    "Runtime": "runtime",
    "isolate_lungs": "lungs",
    "prepare_nsclc": "nsclc",
    "prepare_nsclc_published": "nsclc_published",
}

__all__ = [
    "InferenceError",
    "InferenceWarning",
    "LungIsolation",
    "PreparedScan",
    "Runtime",
    "isolate_lungs",
    "prepare_nsclc",
    "prepare_nsclc_published",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
