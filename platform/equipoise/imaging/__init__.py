"""Reading and writing images and masks: geometry, DICOM, volume files, outlines, packs. No framework, no
database.

The public names are imported on first use, so that those who need geometry alone do not load DICOM or
SimpleITK.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.imaging.consensus import staple
    from equipoise.imaging.geometry import Grid
    from equipoise.imaging.mask import Mask, decode_mask, encode_mask
    from equipoise.imaging.outline import OutlinePacket, outline_of_slice
    from equipoise.imaging.rasterise import rasterise_polygon
    from equipoise.imaging.reading import read_folder, read_image, read_mask
    from equipoise.imaging.volume import ImageVolume

_HOMES = {
    "Grid": "geometry",
    "ImageVolume": "volume",
    "Mask": "mask",
    "OutlinePacket": "outline",
    "decode_mask": "mask",
    "encode_mask": "mask",
    "outline_of_slice": "outline",
    "rasterise_polygon": "rasterise",
    "read_folder": "reading",
    "read_image": "reading",
    "read_mask": "reading",
    "staple": "consensus",
}

__all__ = [
    "Grid",
    "ImageVolume",
    "Mask",
    "OutlinePacket",
    "decode_mask",
    "encode_mask",
    "outline_of_slice",
    "rasterise_polygon",
    "read_folder",
    "read_image",
    "read_mask",
    "staple",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
