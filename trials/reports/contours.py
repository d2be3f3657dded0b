"""What readers drew, as files for other software: masks (NRRD), outlines and logs (JSON), one set per reading."""

import gzip
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from equipoise.archive.storage import default_store
from equipoise.imaging.export import write_mask_nrrd
from equipoise.imaging.mask import decode_mask
from trials.domain.states import ReadingState
from trials.models import ResponseFile, Trial
from trials.selectors.segmentations import MASK
from trials.selectors.tables import is_blinded


def contours_zip(trial: Trial) -> bytes:
    """Return every drawn contour, named by case, reader and repeat; empty until unblinding, as every answer is."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        if not is_blinded(trial):
            for file in drawn_files(trial):
                _add(bundle, file)
    return out.getvalue()


def drawn_files(trial: Trial) -> list[ResponseFile]:
    """Return the files of every answer to a trial item that is in use: masks, outlines, logs."""
    return list(
        ResponseFile.objects.filter(response__reading__trial=trial)
        .exclude(response__reading__phase="practice")
        .exclude(response__reading__state=ReadingState.VOIDED)
        .select_related(
            "response__reading__participant",
            "response__reading__item__case",
            "response__reading__item__image__volume",
        )
        .order_by(
            "response__reading__item__code",
            "response__reading__participant__code",
            "response__reading__repeat",
            "name",
        )
    )


def drawn_name(file: ResponseFile) -> str:
    """Return whose contour it is and which reading: ``R-01-repeat1``; corrections have a number."""
    response = file.response
    if response is None:
        raise ValueError("The file belongs to a late submission, which is no answer.")
    answer = "" if response.number == 1 else f"-answer{response.number}"
    return f"{response.reading.participant.code}-repeat{response.reading.repeat}{answer}"


def _add(bundle: zipfile.ZipFile, file: ResponseFile) -> None:
    response = file.response
    if response is None:
        return
    reading = response.reading
    stem = f"{reading.item.case.code}/{drawn_name(file)}"
    content = default_store().read(file.key)
    if file.name != MASK:
        bundle.writestr(f"{stem}-{file.name}.json", gzip.decompress(content))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nrrd"
        write_mask_nrrd(decode_mask(content, wanted=reading.item.image.volume.grid), path)
        bundle.write(path, f"{stem}.nrrd")
