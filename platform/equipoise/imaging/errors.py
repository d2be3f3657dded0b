"""What can be wrong with an image file: one class per fault, each with a sentence that names the file and the
cure.

A sentence names files, ROIs and technical numbers only, never a value of a patient or study attribute. File
and ROI names may still identify a person (people name folders after patients), so what is stored about a
fault in the database is its class's :attr:`IngestError.advice`, which names nothing; the sentence itself goes
to the ingest log alone.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from equipoise.common.errors import DomainError, ErrorCode


class IngestError(DomainError):
    """A file, or a set of files, that cannot become an image or a mask."""

    code = ErrorCode.INGEST_UNSUPPORTED
    advice: ClassVar[str] = "The file cannot be used."

    def __init__(self, message: str, *, file: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, data=data)
        self.file = file


class UnsafeArchiveError(IngestError):
    """A zip or tar file whose members would leave the folder, are links, or unpack to far more than they
    are."""

    code = ErrorCode.INGEST_ARCHIVE_UNSAFE
    advice = "The archive holds members that are refused; pack plain files with relative names."


class DuplicateSlicesError(IngestError):
    """Two different slices of one series lie at the same place."""

    code = ErrorCode.INGEST_DUPLICATE_SLICES
    advice = "Two different slices of the series lie at the same position; send one reconstruction."


class EmptyMaskError(IngestError):
    """A mask without a single voxel."""

    code = ErrorCode.INGEST_EMPTY_MASK
    advice = "The mask has no voxel; send the contour that was meant, or leave the source out."


class FrameOfReferenceError(IngestError):
    """A structure set drawn in another coordinate system than the image's."""

    code = ErrorCode.INGEST_FRAME_OF_REFERENCE
    advice = "The structure set belongs to another image; send the images it was drawn on."


class GridMismatchError(IngestError):
    """A mask, or contours, that do not lie on the image's voxels."""

    code = ErrorCode.INGEST_GRID_MISMATCH
    advice = "The mask is not on the image's voxel grid; resample it to the image before sending."


class MissingSlicesError(IngestError):
    """A series with a hole."""

    code = ErrorCode.INGEST_MISSING_SLICES
    advice = "Slices of the series are missing; send the complete series."


class NotAnImageError(IngestError):
    """A file that is not what its name says."""

    code = ErrorCode.INGEST_NOT_AN_IMAGE
    advice = "The file is not an image of the kind its name says."


class IdentityInPixelsError(IngestError):
    """An image that may show who the patient is: by its header's word, or by something that looks like writing."""

    code = ErrorCode.INGEST_BURNED_IN
    advice = "The image may show who the patient is: it has, or says it has, words in its pixels; send it without them."


class PatientSharedError(IngestError):
    """A patient who is in the trial already, under another name or in a part that must not share patients."""

    code = ErrorCode.INGEST_PATIENT_SHARED
    http_status = 409
    advice = "The same patient is in another part of the trial or was sent under another identity."


class RoiAbsentError(IngestError):
    """A structure set without the region asked for."""

    code = ErrorCode.INGEST_ROI_ABSENT
    advice = "The structure set has no region of the name that the rule asks for."


class RoiAmbiguousError(IngestError):
    """A structure set in which several regions answer to the name or pattern."""

    code = ErrorCode.INGEST_ROI_AMBIGUOUS
    advice = "Several regions of the structure set match the rule; name one of them exactly."


class SeveralSeriesError(IngestError):
    """More than one image series where one is needed."""

    code = ErrorCode.INGEST_SEVERAL_SERIES
    advice = "The patient has several image series; send one, or the structure set that names it."


class ImageTooLargeError(IngestError):
    """An image, or a claim of one, above the limit."""

    code = ErrorCode.INGEST_TOO_LARGE
    http_status = 413
    advice = "The image is larger than the limit."


class TruncatedFileError(IngestError):
    """A file that ends before its content does."""

    code = ErrorCode.INGEST_TRUNCATED
    advice = "The file ends before its content does; copy it again."


class UnevenSpacingError(IngestError):
    """A series whose slices are not equally far apart."""

    code = ErrorCode.INGEST_UNEVEN_SPACING
    advice = "The slices are not equally far apart; send one reconstruction with one increment."


class UnsupportedImageError(IngestError):
    """A readable file of a kind that is not handled."""

    code = ErrorCode.INGEST_UNSUPPORTED
    advice = "Images of this kind are not handled."
