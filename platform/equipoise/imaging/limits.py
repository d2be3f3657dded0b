"""How much a reader of files accepts before it refuses: every number an attacker or an accident could make
large."""

from dataclasses import dataclass

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits of reading; a caller may set others.

    Parameters
    ----------
    max_image_bytes : int
        Decoded size of one file's image, and of a series that is held in memory whole, at two bytes a voxel. The
        default holds 512 x 512 x 2000.
    max_series_bytes : int
        Decoded size of a series that is read slice by slice. The default holds 512 x 512 x 4000.
    max_frame_bytes : int
        Of one frame, at two bytes a pixel, since computing with it takes several times as much. The default holds
        8192 x 8192, more than any radiograph.
    max_inflated_bytes : int
        What a deflated DICOM file may inflate to.
    max_files : int
        Files of a folder, and members of an archive.
    max_unpacked_bytes : int
        What one archive may unpack to.
    max_compression_ratio : float
        Unpacked over packed size of one member above 1 MiB. DEFLATE reaches 1032 on constant data; images 2
        to 20.
    max_contour_points : int
        Points of one region of a structure set.
    """

    max_image_bytes: int = _GIB
    max_series_bytes: int = 2 * _GIB
    max_frame_bytes: int = 128 * _MIB
    max_inflated_bytes: int = 256 * _MIB
    max_files: int = 200_000
    max_unpacked_bytes: int = 64 * _GIB
    max_compression_ratio: float = 200.0
    max_contour_points: int = 5_000_000


RATIO_CHECKED_ABOVE_BYTES = _MIB
"""Smaller members may compress as well as they like: they cannot fill a disk."""

DEFAULT_LIMITS = ReadLimits()
"""What is used where a caller names none."""
