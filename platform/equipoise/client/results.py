"""Results as a program has them, and the site's report on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

_FORMATS = (
    (".nrrd", "nrrd"),
    (".nii", "nifti"),
    (".nii.gz", "nifti"),
    (".mha", "metaimage"),
    (".dcm", "dicom"),
)
"""Mask formats by the end of a file's name; ``dicom`` is a structure set or a segmentation object."""


def _known_format(path: Path, given: str | None, formats: Sequence[tuple[str, str]], what: str) -> str:
    if given is not None:
        return given
    for suffix, name in formats:
        if path.name.lower().endswith(suffix):
            return name
    raise ValueError(
        f"The format of a {path.suffix or 'nameless'} file is not known; give {what}(..., format=...)."
    )


@dataclass(frozen=True)
class Model:
    """A model version, as the trial's protocol names it."""

    name: str
    version: str
    weights_sha256: str


@dataclass(frozen=True)
class RunTime:
    """Wall time from input read to result stored, the model being loaded, and on what."""

    seconds: float
    hardware: str = ""
    device: str = ""
    cold_start_seconds: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why there is no result: ``crashed``, ``empty_result``, ``input_not_supported``, ``out_of_memory``, ..."""

    code: str
    detail: str = ""


@dataclass(frozen=True)
class MaskFile:
    """A mask on the case's own voxels, as a file. Its name stays here: names of files may be names of people."""

    path: Path
    label: str | None = None
    """The region, segment or label that is meant, where the file has several."""
    format: str | None = None
    """Taken from the file's name unless given."""

    def known_format(self) -> str:
        """Return the format, or raise if it can only be guessed."""
        return _known_format(self.path, self.format, _FORMATS, "MaskFile")


@dataclass(frozen=True)
class Polygons:
    """A contour as closed polygons of points (x, y, z) in mm, LPS; each lies in one slice of the image."""

    points_mm: Sequence[Sequence[Sequence[float]]]


_BUFFER_TYPES = {"B": "uint8", "f": "float32", "d": "float64"}
"""Formats of a buffer, as the standard library names them, and what they are called on the way."""


@dataclass(frozen=True)
class HeatMap:
    """A heat map on the case's image and how it was made: a file, or an array from 0 to 1 (or of uint8 levels).

    An array has the axes of the image as the site keeps it: frames, rows, columns. The site keeps 256 levels.
    """

    method: str
    path: Path | None = None
    values: Any = None
    """Anything with a buffer of two or three dimensions, such as a numpy array of float32, float64 or uint8."""
    layer: str = ""
    target_class: str = ""
    format: str | None = None
    """Of the file; taken from its name unless given."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.values is None):
            raise ValueError("Give a heat map as exactly one of path and values.")
        if self.path is None and self._buffer().format not in _BUFFER_TYPES:
            raise ValueError(
                "values must be a buffer of float32, float64 or uint8, in the machine's byte order."
            )

    def as_json(self, part: str) -> dict[str, Any]:
        """Return what is sent beside the bytes."""
        made = {"method": self.method, "layer": self.layer, "target_class": self.target_class}
        if self.path is not None:
            formats = (*_FORMATS[:-1], (".npy", "npy"))
            return {"part": part, "format": _known_format(self.path, self.format, formats, "HeatMap"), **made}
        buffer = self._buffer()
        described = {"shape": list(buffer.shape or ()), "dtype": _BUFFER_TYPES[buffer.format]}
        return {"part": part, "format": "raw", **described, **made}

    @property
    def size_bytes(self) -> int:
        """How many bytes are sent."""
        return self.path.stat().st_size if self.path is not None else self._buffer().nbytes

    def content(self) -> bytes:
        """Return the bytes that are sent."""
        return self.path.read_bytes() if self.path is not None else self._buffer().tobytes()

    def _buffer(self) -> memoryview:
        return memoryview(self.values)


@dataclass(frozen=True)
class Result:
    """One result, or one failure, of a model version on a case.

    ``key`` makes the submission safe to repeat: the same key with the same content is stored once. Give keys of your
    own (letters, digits and ``. _ : -``) if a run may be started again from the beginning.
    """

    case: str
    model: Model
    task: str = "preference"
    repeat: int = 1
    contour: MaskFile | Polygons | None = None
    probability: float | None = None
    rating: float | None = None
    heat_map: HeatMap | None = None
    used_in_training: str | None = None
    """Whether the case was used to make the model: ``no``, ``training``, ``tuning`` or ``unknown``."""
    run: RunTime | None = None
    failure: Failure | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    def as_json(self, *, part: str, heat_part: str) -> dict[str, Any]:
        """Return what is sent; a mask file and a heat map go as the parts of those names."""
        model, run, failure = self.model, self.run, self.failure
        return {
            "key": self.key,
            "case": self.case,
            "model": {
                "name": model.name,
                "version": model.version,
                "weights_sha256": model.weights_sha256,
            },
            "task": self.task,
            "repeat": self.repeat,
            "contour": self._contour_json(part),
            "probability": self.probability,
            "rating": self.rating,
            "heat_map": self.heat_map.as_json(heat_part) if self.heat_map is not None else None,
            "used_in_training": self.used_in_training,
            "run": {
                "seconds": run.seconds,
                "hardware": run.hardware,
                "device": run.device,
                "cold_start_seconds": run.cold_start_seconds,
            }
            if run is not None
            else None,
            "failure": {"code": failure.code, "detail": failure.detail} if failure is not None else None,
        }

    def _contour_json(self, part: str) -> dict[str, Any] | None:
        if self.contour is None:
            return None
        if isinstance(self.contour, Polygons):
            loops = self.contour.points_mm
            return {"polygons": [[[float(v) for v in point] for point in loop] for loop in loops]}
        return {"part": part, "format": self.contour.known_format(), "label": self.contour.label}


@dataclass(frozen=True)
class ItemReport:
    """What became of one result: ``stored``, ``unchanged`` (it was there already) or ``refused``, and then why."""

    key: str
    case: str
    outcome: str
    id: str | None = None
    code: str | None = None
    detail: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SendReport:
    """The reports on everything that was sent, in the order sent."""

    items: tuple[ItemReport, ...]

    @property
    def stored(self) -> int:
        """How many are new on the site."""
        return sum(item.outcome == "stored" for item in self.items)

    @property
    def unchanged(self) -> int:
        """How many were there already."""
        return sum(item.outcome == "unchanged" for item in self.items)

    @property
    def refused(self) -> tuple[ItemReport, ...]:
        """Those that were not stored."""
        return tuple(item for item in self.items if item.outcome == "refused")
