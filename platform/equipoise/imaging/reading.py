"""A folder that somebody sent, and what is in it: series, structure sets, volume files, and a line for every
file.

After panimg's manner: a file that cannot be used is a line of the report, never a crash, and says nothing
about the others. Reading a folder reads headers; voxels are read when a series or file is loaded.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from equipoise.common.errors import ErrorCode
from equipoise.common.faults import is_disk_full
from equipoise.imaging.containers import is_archive, unpack
from equipoise.imaging.dicom_header import (
    DicomHeader,
    check_pixels,
    looks_like_dicom,
    quiet_pydicom,
    read_header,
)
from equipoise.imaging.errors import (
    GridMismatchError,
    ImageTooLargeError,
    IngestError,
    NotAnImageError,
    RoiAmbiguousError,
    SeveralSeriesError,
)
from equipoise.imaging.geometry import Grid, display_transform, reorder_to
from equipoise.imaging.image_form import ImageForm, image_form, modality_of
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.picture_files import is_picture
from equipoise.imaging.series import DicomSeries, assemble_series, join_views, load_series
from equipoise.imaging.structure_set import (
    StructureSet,
    choose_roi,
    read_segmentation,
    read_structure_set,
    roi_mask,
    series_of,
)
from equipoise.imaging.volume import ImageVolume, turn_for_display
from equipoise.imaging.volume_files import (
    VolumeFile,
    is_volume_file,
    load_image,
    load_mask,
    read_volume_header,
)

MASK_PATTERNS = ("*_mask.*", "*-mask.*", "mask*", "*_seg.*", "*-seg.*", "*_label.*", "*-label.*")
"""File names that are taken for masks where the caller has no rules of its own."""

HELD_CONTOUR_BYTES = 64 << 20
"""Of all structure sets of a folder: their coordinates are held so far, so that most files are read once."""

_JUNK_NAMES = ("thumbs.db", "desktop.ini", "dicomdir")
_JUNK_FOLDERS = ("__macosx",)


class FileOutcome(StrEnum):
    """What became of a file."""

    USED = "used"
    IGNORED = "ignored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One line per file. ``path`` and ``sentence`` may name a person and belong in the ingest log alone."""

    path: str
    outcome: FileOutcome
    kind: str
    code: ErrorCode | None = None
    sentence: str = ""
    advice: str = ""
    """What may be said of the fault without naming anything."""


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What a folder holds."""

    folder: Path
    series: tuple[DicomSeries, ...] = ()
    structure_sets: tuple[StructureSet, ...] = ()
    images: tuple[VolumeFile, ...] = ()
    masks: tuple[VolumeFile, ...] = ()
    reports: tuple[FileReport, ...] = ()
    unpacked: dict[str, Path] = field(default_factory=dict)
    """Archives, by relative path, and the folder that each was unpacked to."""

    def failures(self) -> list[FileReport]:
        """Return the lines of files that could not be used."""
        return [report for report in self.reports if report.outcome is FileOutcome.FAILED]

    def relative(self, path: Path) -> str:
        """Return a file's path as the sender knows it: inside the folder, or inside an archive of it."""
        for archive, target in self.unpacked.items():
            if path.is_relative_to(target):
                return f"{archive}/{path.relative_to(target).as_posix()}"
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name


def read_folder(
    folder: Path,
    *,
    limits: ReadLimits = DEFAULT_LIMITS,
    mask_patterns: Sequence[str] = MASK_PATTERNS,
    workspace: Path | None = None,
    inspect: Callable[[DicomHeader], None] | None = None,
) -> FolderContents:
    """Read the headers of everything in a folder.

    Parameters
    ----------
    folder : Path
        Looked through with all its subfolders; links are not followed.
    mask_patterns : sequence of str
        Names of volume files that are masks; the others are images.
    workspace : Path, optional
        An empty folder of the caller's, into which archives are unpacked; without one they are ignored.
    inspect : callable, optional
        Called with the header of every DICOM file, also of those that are not used.

    Returns
    -------
    FolderContents
        With one report line per file, in the order of their names.
    """
    return _FolderReader(folder, limits, mask_patterns, workspace, inspect).read()


def read_image(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> ImageVolume:
    """Read one image, the usual way round: a volume file, a DICOM folder or file, or an archive of one.

    Raises
    ------
    IngestError
        Of the class that says what is wrong; several series are refused with a list.
    """
    if path.is_file() and is_volume_file(path):
        return turn_for_display(load_image(read_volume_header(path, limits=limits)))[0]
    with _open_contents(path, limits) as contents:
        if len(contents.series) == 1 and not contents.images:
            return turn_for_display(load_series(contents.series[0], limits=limits).volume)[0]
        if len(contents.images) == 1 and not contents.series:
            return turn_for_display(load_image(contents.images[0]))[0]
        raise _no_single_image(path, contents)


def read_mask(
    path: Path,
    roi: str | None = None,
    image: ImageVolume | Grid | Path | None = None,
    *,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Mask:
    """Read one mask, the usual way round.

    Parameters
    ----------
    path : Path
        A volume file; a structure set or segmentation object; a DICOM folder, or an archive of one, that holds one.
    roi : str, optional
        The region's name or pattern, or the label of a volume file with several.
    image : ImageVolume, Grid or Path, optional
        What the mask must lie on; a path is read. A structure set needs it, or its images beside itself.

    Returns
    -------
    Mask
        With ``array`` (z, y, x) and ``grid``; on the image's own grid if one was given.

    Raises
    ------
    IngestError
        Of the class that says what is wrong.
    """
    if isinstance(image, Path) and (is_volume_file(image) or is_volume_file(path)):
        image = read_image(image, limits=limits)
    if path.is_file() and is_volume_file(path):
        mask = load_mask(read_volume_header(path, limits=limits), label=roi)
    else:
        mask = _read_structure_mask(path, roi, image, limits)
    if image is None or isinstance(image, Path):
        return _turned(mask)
    return mask_on_grid(mask, image.grid if isinstance(image, ImageVolume) else image, name=path.name)


def mask_on_grid(mask: Mask, grid: Grid, *, name: str = "") -> Mask:
    """Return the mask on the image's grid, its axes reordered if they name the same voxels in another order.

    Raises
    ------
    GridMismatchError
        If the voxels are not the same; nothing is resampled.
    """
    array = reorder_to(mask.array, mask.grid, grid)
    if array is None:
        raise GridMismatchError(
            f"The mask {name} is not on the image's voxels: {grid.difference(mask.grid)}. Resample it to the "
            "image "
            "before sending.",
            file=name,
        )
    return Mask(array, grid)


def _turned(mask: Mask) -> Mask:
    return mask.turned(display_transform(mask.grid))


def _read_structure_mask(
    path: Path, roi: str | None, image: ImageVolume | Grid | Path | None, limits: ReadLimits
) -> Mask:
    with _open_contents(path, limits) as contents:
        sets = contents.structure_sets
        if len(sets) != 1:
            if not sets and len(contents.masks) == 1:
                return load_mask(contents.masks[0], label=roi)
            raise _not_one_structure_set(path, len(sets), contents)
        chosen = choose_roi(sets[0], roi)
        if isinstance(image, ImageVolume | Grid) and not contents.series:
            return roi_mask(
                sets[0], chosen, image.grid if isinstance(image, ImageVolume) else image, limits=limits
            )
        beside = image if isinstance(image, Path) else path.parent if path.is_file() else None
        if contents.series or beside is None or is_archive(path):
            return roi_mask(sets[0], chosen, series_of(sets[0], chosen, contents.series).grid, limits=limits)
        with _open_contents(beside, limits) as images:
            return roi_mask(sets[0], chosen, series_of(sets[0], chosen, images.series).grid, limits=limits)


@contextmanager
def _open_contents(path: Path, limits: ReadLimits) -> Iterator[FolderContents]:
    """Read a folder, an archive (into a temporary folder) or one file as contents."""
    with ExitStack() as stack:
        if path.is_dir():
            yield read_folder(path, limits=limits)
        elif is_archive(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="equipoise-")))
            unpack(path, folder, limits=limits)
            yield read_folder(folder, limits=limits)
        else:
            reader = _FolderReader(path.parent, limits, MASK_PATTERNS, None)
            yield reader.read_files([path])


def _no_single_image(path: Path, contents: FolderContents) -> IngestError:
    found = [series.summary() for series in contents.series] + [file.path.name for file in contents.images]
    if found:
        listed = "; ".join(f"#{n}: {words}" for n, words in enumerate(found, start=1))
        return SeveralSeriesError(
            f"{path.name} holds {len(found)} images ({listed}); keep one.", file=path.name
        )
    return _first_failure(contents) or NotAnImageError(
        f"{path.name} holds no image that can be read.", file=path.name
    )


def _not_one_structure_set(path: Path, count: int, contents: FolderContents) -> IngestError:
    if count:
        return RoiAmbiguousError(
            f"{path.name} holds {count} structure sets; name the file of the one that is meant.",
            file=path.name,
        )
    return _first_failure(contents) or NotAnImageError(
        f"{path.name} holds neither a mask file nor a structure set.", file=path.name
    )


def error_of(report: FileReport, *, more: str = "") -> IngestError:
    """Return a failed file's report as the error that it was, perhaps with words added."""
    error_class = next((c for c in IngestError.__subclasses__() if c.code is report.code), IngestError)
    return error_class(f"{report.sentence} {more}".strip(), file=report.path)


def _first_failure(contents: FolderContents) -> IngestError | None:
    return next((error_of(report) for report in contents.failures()), None)


class _FolderReader:
    """One pass over a folder: sorts files by kind, then makes series of the slices."""

    def __init__(
        self,
        folder: Path,
        limits: ReadLimits,
        mask_patterns: Sequence[str],
        workspace: Path | None,
        inspect: Callable[[DicomHeader], None] | None = None,
    ) -> None:
        self._folder, self._limits, self._workspace, self._inspect = folder, limits, workspace, inspect
        self._mask_patterns = [pattern.casefold() for pattern in mask_patterns]
        self._slices: dict[tuple[object, ...], list[DicomHeader]] = defaultdict(list)
        self._series: list[DicomSeries] = []
        self._structure_sets: list[StructureSet] = []
        self._contour_bytes = 0
        self._images: list[VolumeFile] = []
        self._masks: list[VolumeFile] = []
        self._reports: dict[Path, FileReport] = {}
        self._unpacked: dict[str, Path] = {}

    def read(self) -> FolderContents:
        return self.read_files(_files_below(self._folder, self._limits))

    def read_files(self, files: Sequence[Path]) -> FolderContents:
        for path in files:
            self._take(path)
        for headers in self._slices.values():
            self._assemble(headers)
        self._set_pictures_aside()
        return FolderContents(
            folder=self._folder,
            series=tuple(join_views(self._series)),
            structure_sets=tuple(self._structure_sets),
            images=tuple(self._images),
            masks=tuple(self._masks),
            reports=tuple(self._reports[path] for path in sorted(self._reports)),
            unpacked=dict(self._unpacked),
        )

    def _take(self, path: Path) -> None:
        try:
            self._sort_by_kind(path)
        except IngestError as error:
            self._fail(path, "file", error)
        except OSError as error:
            if is_disk_full(error):  # no fault of the file's: what an archive holds finds no room
                raise
            problem = NotAnImageError(f"{path.name} cannot be opened ({error.strerror}).", file=path.name)
            self._fail(path, "file", problem)

    def _sort_by_kind(self, path: Path) -> None:
        if path.is_symlink():
            self._ignore(path, "link", "links are not followed")
        elif not path.is_file():  # a pipe would keep whoever opens it for ever
            self._ignore(path, "device", "not a plain file")
        elif _is_junk(path):
            self._ignore(path, "file", "not an image")
        elif is_archive(path):
            self._take_archive(path)
        elif is_volume_file(path):
            file = read_volume_header(path, limits=self._limits)
            is_mask = any(fnmatchcase(path.name.casefold(), pattern) for pattern in self._mask_patterns)
            (self._masks if is_mask else self._images).append(file)
            self._use(path, "mask" if is_mask else "image")
        elif path.suffix.lower() in (".dcm", ".ima") or looks_like_dicom(path):
            with quiet_pydicom():
                self._take_dicom(read_header(path, limits=self._limits))
        else:
            self._ignore(path, "file", "not an image format that is read")

    def _take_dicom(self, header: DicomHeader) -> None:
        if self._inspect is not None:
            self._inspect(header)
        modality = header.text("Modality")
        if header.is_index:
            self._ignore(header.path, "DICOM", "an index of other files")
        elif modality == "RTSTRUCT":
            self._structure_sets.append(self._held(read_structure_set(header)))
            self._use(header.path, "structure set")
        elif modality == "SEG":
            check_pixels(header, self._limits, photometric=("MONOCHROME2", "PALETTE COLOR"))
            self._structure_sets.append(read_segmentation(header))
            self._use(header.path, "segmentation")
        elif "LOCALIZER" in header.text("ImageType").upper():
            self._ignore(header.path, modality, "a localiser, not a slice")
        elif (form := image_form(header)) is not None:
            self._slices[_series_key(header, form)].append(header)
        else:
            kind = modality if modality.isalnum() else "DICOM"
            self._ignore(header.path, kind, f"DICOM objects of modality {kind} are not read")

    def _held(self, structures: StructureSet) -> StructureSet:
        """Keep the contours in memory while there is room for them; beyond it they are read when they are needed."""
        self._contour_bytes += structures.contour_bytes
        return structures if self._contour_bytes <= HELD_CONTOUR_BYTES else replace(structures, contours=None)

    def _take_archive(self, path: Path) -> None:
        if self._workspace is None:
            self._ignore(path, "archive", "archives inside a folder are not unpacked here")
            return
        target = self._workspace / f"unpacked-{len(self._unpacked):04d}"
        target.mkdir()
        files = unpack(path, target, limits=self._limits)
        self._unpacked[path.relative_to(self._folder).as_posix()] = target
        self._use(path, "archive")
        for member in files:
            if is_archive(member):
                self._ignore(member, "archive", "archives inside archives are not unpacked")
            else:
                self._take(member)

    def _assemble(self, headers: list[DicomHeader]) -> None:
        try:
            series = assemble_series(headers, limits=self._limits)
        except IngestError as error:
            for header in headers:
                self._fail(header.path, f"{modality_of(header)} slice", error)
            return
        self._series.append(series)
        used = set(series.paths)
        for header in headers:
            if header.path in used:
                self._use(header.path, f"{series.modality} slice")
            else:
                self._ignore(header.path, f"{series.modality} slice", "a copy of another file")

    def _set_pictures_aside(self) -> None:
        """Take pictures for images only where they are all there is: beside scans they are somebody's snapshots."""
        pictures = [file for file in self._images if is_picture(file.path)]
        if self._series or self._structure_sets or len(pictures) < len(self._images):
            self._images = [file for file in self._images if file not in pictures]
            for file in pictures:
                self._ignore(file.path, "picture", "a picture beside scans")

    def _relative(self, path: Path) -> str:
        return FolderContents(self._folder, unpacked=self._unpacked).relative(path)

    def _use(self, path: Path, kind: str) -> None:
        self._reports[path] = FileReport(self._relative(path), FileOutcome.USED, kind)

    def _ignore(self, path: Path, kind: str, reason: str) -> None:
        self._reports[path] = FileReport(
            self._relative(path),
            FileOutcome.IGNORED,
            kind,
            sentence=f"Ignored: {reason}.",
            advice=f"Ignored: {reason}.",
        )

    def _fail(self, path: Path, kind: str, error: IngestError) -> None:
        self._reports[path] = FileReport(
            self._relative(path), FileOutcome.FAILED, kind, error.code, error.message, error.advice
        )


def _files_below(folder: Path, limits: ReadLimits) -> list[Path]:
    files: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(f for f in folders if f.lower() not in _JUNK_FOLDERS)
        files.extend(Path(parent) / name for name in sorted(names))
        if len(files) > limits.max_files:
            raise ImageTooLargeError(
                f"{folder.name} holds more than {limits.max_files:,} files; send it in parts.",
                file=folder.name,
            )
    return files


def _series_key(header: DicomHeader, form: ImageForm) -> tuple[object, ...]:
    """Return what the files of one image share. Views of several sizes are several images."""
    uid = header.text("SeriesInstanceUID")
    if form is not ImageForm.PLANAR:
        return (form, uid)
    return (form, uid or header.path, header.text("Rows"), header.text("Columns"))


def _is_junk(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _JUNK_NAMES
