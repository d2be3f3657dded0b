"""Images without a place in the patient: scintigraphy, radiographs, captured pictures. Their frames are views."""

from collections.abc import Sequence

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader
from equipoise.imaging.errors import UnsupportedImageError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.image_form import modality_of
from equipoise.imaging.slices import PLANAR_ORIENTATION, SliceHeader, rescale_of
from equipoise.imaging.volume import SeriesDescription, SpacingSource

ANTERIOR, POSTERIOR = "anterior", "posterior"

_NUCLEAR_VIEWS = {
    "R-10206": ANTERIOR,
    "255549009": ANTERIOR,
    "ANTERIOR": ANTERIOR,
    "R-10214": POSTERIOR,
    "255551008": POSTERIOR,
    "POSTERIOR": POSTERIOR,
}
"""Code values (SRT, SNOMED CT) and meanings of DICOM's context group 26."""

_RADIOGRAPH_VIEWS = ("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "CC", "MLO")
"""Defined terms of View Position that name a projection."""

_SPACINGS = (
    ("PixelSpacing", SpacingSource.PATIENT),
    ("ImagerPixelSpacing", SpacingSource.DETECTOR),
    ("NominalScannedPixelSpacing", SpacingSource.DETECTOR),
)


def planar_views(headers: Sequence[DicomHeader]) -> tuple[list[SliceHeader], Grid, SeriesDescription]:
    """Return the views of one series, in the order of its instance numbers and frames, anterior first.

    Raises
    ------
    UnsupportedImageError
        If the files differ in size, pixel spacing or in whether low values are white.
    """
    ordered = sorted(headers, key=lambda h: (h.number("InstanceNumber", 0.0) or 0.0, h.path.name))
    first = ordered[0]
    views: list[tuple[str, SliceHeader]] = []
    for header in ordered:
        views += zip(_names_in(header), _frames_in(header), strict=True)
    for _, view in views:
        _check_alike(view, views[0][1])
    names = tuple(name for name, _ in views)
    if not all(names) or len(set(names)) < len(names):
        is_pair = len(views) == 2 and len(headers) == 1 and modality_of(first) == "NM"
        names = (ANTERIOR, POSTERIOR) if is_pair else tuple(f"view {n + 1}" for n in range(len(views)))
    elif names == (POSTERIOR, ANTERIOR) and len(headers) == 2:
        views, names = views[::-1], names[::-1]
    view = views[0][1]
    description = SeriesDescription(
        manufacturer=first.text("Manufacturer") or None,
        model=first.text("ManufacturerModelName") or None,
        views=names,
        spacing_source=_spacing(first)[1],
    )
    grid = Grid((len(views), *view.shape_yx), (1.0, *view.spacing_mm_yx))
    return [view for _, view in views], grid, description


def _frames_in(header: DicomHeader) -> list[SliceHeader]:
    rows, columns = (int(header.numbers(keyword, 1)[0]) for keyword in ("Rows", "Columns"))
    count = _frame_count(header)
    spacing_mm_yx, _ = _spacing(header)
    slope, intercept = rescale_of(header)
    return [
        SliceHeader(
            path=header.path,
            instance_uid=header.text("SOPInstanceUID") or str(header.path),
            position_mm_xyz=(0.0, 0.0, 0.0),
            orientation=PLANAR_ORIENTATION,
            shape_yx=(rows, columns),
            spacing_mm_yx=spacing_mm_yx,
            slope=slope,
            intercept=intercept,
            frame=number if count > 1 else None,
            inverted=header.text("PhotometricInterpretation") == "MONOCHROME1",
        )
        for number in range(count)
    ]


def _frame_count(header: DicomHeader) -> int:
    return max(int(header.number("NumberOfFrames", 1.0) or 1), 1)


def _spacing(header: DicomHeader) -> tuple[tuple[float, float], SpacingSource]:
    for keyword, source in _SPACINGS:
        if header.text(keyword):
            row_mm, column_mm = header.numbers(keyword, 2)
            if not (row_mm > 0 and column_mm > 0):
                raise UnsupportedImageError(
                    f"{header.path.name} has a pixel spacing that is not a positive number.",
                    file=header.path.name,
                )
            return (row_mm, column_mm), source
    return (1.0, 1.0), SpacingSource.UNKNOWN


def _check_alike(view: SliceHeader, first: SliceHeader) -> None:
    alike = (view.shape_yx, view.spacing_mm_yx, view.inverted) == (
        first.shape_yx,
        first.spacing_mm_yx,
        first.inverted,
    )
    if not alike:
        raise UnsupportedImageError(
            f"{view.path.name} has another size, pixel spacing or grey scale than {first.path.name} of the same "
            "series; send views that are alike.",
            file=view.path.name,
        )


def _names_in(header: DicomHeader) -> list[str]:
    """Name each frame by its coded view, empty where the file has no code for it."""
    count = _frame_count(header)
    if modality_of(header) != "NM":
        position = header.text("ViewPosition").upper()
        return [position if position in _RADIOGRAPH_VIEWS else ""] * count
    detectors = [_detector_view(d) for d in header.value("DetectorInformationSequence") or ()]
    vector = header.value("DetectorVector")
    try:
        numbers = [int(n) for n in ([vector] if isinstance(vector, int) else vector or ())]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) == count and detectors and all(1 <= n <= len(detectors) for n in numbers):
        return [detectors[n - 1] for n in numbers]
    return detectors if len(detectors) == count else [""] * count


def _detector_view(detector: object) -> str:
    try:
        codes = detector.get("ViewCodeSequence") or ()  # type: ignore[attr-defined] # a pydicom data set
        for keyword in ("CodeValue", "CodeMeaning"):
            if codes and (view := _NUCLEAR_VIEWS.get(str(codes[0].get(keyword, "")).strip().upper())):
                return view
    except DAMAGE:
        pass
    return ""
