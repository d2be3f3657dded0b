"""A folder into a trial's archive: read, de-identify, store patient by patient, and account for every file.

A patient comes in whole or not at all: whatever is wrong with one contour, slice or file of a patient keeps
all of that patient out, with the reason in the report, and leaves the other patients alone. Sending the same
folder again stores nothing twice.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils import timezone

from equipoise.archive.deidentification import DeidentificationPolicy, ImageUids, derived_uids
from equipoise.archive.models import (
    IngestFileReport,
    IngestRun,
    IngestState,
    StoredMask,
    StoredOriginal,
    StoredVolume,
)
from equipoise.archive.new_files import NewFiles
from equipoise.archive.patients import PatientMaterial, sort_by_patient
from equipoise.archive.removal_log import RemovalLog, encoded
from equipoise.archive.roi_rules import RoiRule, RuleScope, file_patterns, names_region
from equipoise.archive.services import PreparedMask, StoredPatient, mask_prepare, patient_store
from equipoise.archive.storage import PackStore, StoredFile, StoreKind, default_store, incoming_folder
from equipoise.common.errors import ErrorCode
from equipoise.imaging.burned_in import writing_in
from equipoise.imaging.confidentiality import CleaningProfile, clean_dataset, named_by_profile
from equipoise.imaging.containers import is_archive
from equipoise.imaging.dicom_header import DAMAGE, open_dataset, quiet_pydicom
from equipoise.imaging.errors import (
    FrameOfReferenceError,
    IdentityInPixelsError,
    IngestError,
    NotAnImageError,
    PatientSharedError,
    RoiAbsentError,
    RoiAmbiguousError,
    SeveralSeriesError,
    TruncatedFileError,
)
from equipoise.imaging.geometry import Grid
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import (
    FileOutcome,
    FileReport,
    FolderContents,
    error_of,
    mask_on_grid,
    read_folder,
)
from equipoise.imaging.series import DicomSeries
from equipoise.imaging.stack import ImageStack, stack_of_series, stack_of_volume
from equipoise.imaging.structure_set import choose_roi, roi_mask, series_of
from equipoise.imaging.volume_files import VolumeFile, load_image, load_mask

_CODE_CHARACTERS = 12
"""Of a patient's key, written into kept files where a name was."""

Progress = Callable[[int, int], None]
"""Called with (patients done, patients in all), outside any transaction."""


class ReviewReason(StrEnum):
    """Why an image may show who the patient is."""

    BURNED_IN_ANNOTATION = "burned_in_annotation"
    RECOGNISABLE_FEATURES = "recognisable_features"
    WRITING_IN_PIXELS = "writing_in_pixels"


_REASON_SENTENCES = {
    ReviewReason.BURNED_IN_ANNOTATION: "says that annotations are burned into its pixels",
    ReviewReason.RECOGNISABLE_FEATURES: "says that the patient can be recognised in it",
    ReviewReason.WRITING_IN_PIXELS: "has something in its pixels that looks like writing",
}


@dataclass(frozen=True, slots=True)
class ForbiddenPatients:
    """Patients that must not come in: those of the trial when practice material is sent, and the other way
    round."""

    patient_keys: frozenset[str] = frozenset()
    pixel_hashes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IngestedPatient:
    """One patient's volume and masks by source, as stored."""

    patient_key: str
    volume: StoredVolume
    masks: dict[str, StoredMask]
    already_there: bool
    to_review: tuple[ReviewReason, ...] = ()
    """Why somebody should look whether the image shows who the patient is."""


Attach = Callable[[IngestedPatient], object]
"""Told of each patient as their rows are made; an :class:`IngestError` that it raises keeps the patient out."""


@dataclass(frozen=True, slots=True)
class PatientProblem:
    """A patient who was kept out. ``sentence`` may name files and is for the sender alone."""

    patient_key: str
    code: ErrorCode
    sentence: str
    advice: str


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What a run stored and what it refused."""

    run: IngestRun
    patients: tuple[IngestedPatient, ...]
    problems: tuple[PatientProblem, ...]
    reports: tuple[FileReport, ...]


def ingest_folder(
    *,
    trial_id: UUID,
    institute_id: UUID,
    folder: Path,
    policy: DeidentificationPolicy,
    roi_rules: Sequence[RoiRule] = (),
    progress: Progress | None = None,
    forbidden: ForbiddenPatients | None = None,
    limits: ReadLimits = DEFAULT_LIMITS,
    store: PackStore | None = None,
    attach: Attach | None = None,
) -> IngestOutcome:
    """Read a folder (or one archive) into a trial's archive.

    Call it outside a transaction: files are read and written between short ones of its own, one per patient.
    ``attach`` is called inside each of these, so that what it writes stands or falls with the patient.
    """
    run = IngestRun.objects.create(
        trial_id=trial_id, institute_id=institute_id, deidentification=policy.as_json()
    )
    ingest = _Ingest(
        run,
        policy,
        tuple(roi_rules),
        forbidden or ForbiddenPatients(),
        limits,
        store or default_store(),
        attach or _attach_nothing,
    )
    workspace = incoming_folder() / str(run.id)
    try:
        workspace.mkdir()
        ingest.read(folder, workspace)
        ingest.store_all(progress or _no_progress)
        return ingest.finish()
    except BaseException:
        ingest.abandon()
        raise
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


@dataclass
class _Ingest:
    """One run: what was read, and what has become of each file so far."""

    run: IngestRun
    policy: DeidentificationPolicy
    rules: tuple[RoiRule, ...]
    forbidden: ForbiddenPatients
    limits: ReadLimits
    store: PackStore
    attach: Attach
    contents: FolderContents = field(default_factory=lambda: FolderContents(Path()))
    reports: dict[str, FileReport] = field(default_factory=dict)
    stored: list[IngestedPatient] = field(default_factory=list)
    problems: list[PatientProblem] = field(default_factory=list)
    removed: RemovalLog = field(init=False)

    def __post_init__(self) -> None:
        self.removed = RemovalLog(self.policy.cleaning("", patient_code=""))

    def read(self, folder: Path, workspace: Path) -> None:
        source = folder
        if folder.is_file():
            if not is_archive(folder):
                raise NotAnImageError(
                    f"{folder.name} is neither a folder nor a zip or tar archive; send one of these.",
                    file=folder.name,
                )
            # an archive is read like a folder that holds nothing else
            source = workspace / "sent"
            source.mkdir()
            shutil.copyfile(folder, source / folder.name)
        self.contents = read_folder(
            source,
            limits=self.limits,
            mask_patterns=file_patterns(self.rules),
            workspace=workspace,
            inspect=self.removed.add,
        )
        self.reports = {report.path: report for report in self.contents.reports}

    def store_all(self, progress: Progress) -> None:
        patients = sort_by_patient(self.contents)
        for done, material in enumerate(patients):
            progress(done, len(patients))
            key = self.policy.patient_key(material.original_id)
            try:
                self._refuse_shared(key)
                self._refuse_damaged_neighbours(material)
                self._store_patient(key, material)
            except IngestError as error:
                self._keep_out(key, material, error)
        progress(len(patients), len(patients))

    def finish(self) -> IngestOutcome:
        reports = tuple(self.reports[path] for path in sorted(self.reports))
        content = encoded(
            {"number": number, **{k: v for k, v in asdict(report).items() if k != "advice"}}
            for number, report in enumerate(reports, start=1)
        )
        numbers = {self._path_of(report): number for number, report in enumerate(reports, start=1)}
        removed = encoded(self.removed.lines(self.policy, numbers))
        counts = {outcome: sum(r.outcome is outcome for r in reports) for outcome in FileOutcome}
        with NewFiles(self.store, institute_id=self.run.institute_id, trial_id=self.run.trial_id) as files:
            log = files.write(lambda sink: sink.write(content), StoreKind.INGEST_LOGS)
            removal_log = files.write(lambda sink: sink.write(removed), StoreKind.REMOVAL_LOGS)
            with transaction.atomic():
                IngestFileReport.objects.bulk_create(
                    [_report_row(self.run, number, report) for number, report in enumerate(reports, start=1)],
                    batch_size=500,
                )
                self.run.state, self.run.finished_at = IngestState.FINISHED, timezone.now()
                self.run.used, self.run.ignored = counts[FileOutcome.USED], counts[FileOutcome.IGNORED]
                self.run.failed = counts[FileOutcome.FAILED]
                self.run.log_key, self.run.removal_log_key = log.key, removal_log.key
                self.run.save()
                files.keep({log.key, removal_log.key})
        return IngestOutcome(self.run, tuple(self.stored), tuple(self.problems), reports)

    def abandon(self) -> None:
        IngestRun.objects.filter(pk=self.run.pk).update(
            state=IngestState.FAILED, finished_at=timezone.now(), log_key="", removal_log_key=""
        )

    def _refuse_shared(self, key: str) -> None:
        if key in self.forbidden.patient_keys:
            raise PatientSharedError(
                "The patient has material in the trial's other part (practice or trial); practice patients "
                "must be others."
            )

    def _refuse_damaged_neighbours(self, material: PatientMaterial) -> None:
        """A file that could not be read may have been the patient's last slice: refuse rather than shorten."""
        folders = {path.parent for path in material.paths()}
        for report in self.contents.failures():
            if self._path_of(report).parent in folders:
                raise error_of(report, more="The patient may be incomplete without it and was left out.")

    def _path_of(self, report: FileReport) -> Path:
        for archive, target in self.contents.unpacked.items():
            if report.path.startswith(f"{archive}/"):
                return target / report.path.removeprefix(f"{archive}/")
        return self.contents.folder / report.path

    def _store_patient(self, key: str, material: PatientMaterial) -> None:
        chosen = self._choose_image(material)
        image = self._open(chosen)
        to_review = self._what_may_identify(chosen, image)
        masks = self._masks(material, chosen, image.grid)
        description = self.policy.reduced(image.description, original_id=material.original_id)
        with NewFiles(self.store, institute_id=self.run.institute_id, trial_id=self.run.trial_id) as files:
            originals = self._cleaned_originals(key, material, chosen, files)
            stored = patient_store(
                replace(image, description=description),
                masks,
                trial_id=self.run.trial_id,
                institute_id=self.run.institute_id,
                patient_key=key,
                run=self.run,
                store=self.store,
                uids=lambda pixels: self._uids(chosen, key, pixels),
                accept=lambda pixels: self._refuse_other_identity(key, pixels),
                attach=lambda stored: self._attach(_ingested(key, stored, to_review), originals, files),
            )
        self._note_clipped(chosen, image)
        self.stored.append(_ingested(key, stored, to_review))
        self._note_unused_images(material, chosen)
        if stored.already_there:
            self._annotate(material.paths(), "The image is in the trial already; nothing was stored twice.")

    def _attach(
        self, patient: IngestedPatient, originals: Sequence[tuple[str, StoredFile]], files: NewFiles
    ) -> None:
        """Write what belongs to a patient, in the transaction that makes their rows."""
        _attach_originals(patient, originals, files)
        self.attach(patient)

    def _uids(self, chosen: DicomSeries | VolumeFile, key: str, pixels: str) -> ImageUids:
        """Map the series' UIDs; derive those that it lacks, and all of a volume file."""
        derived = derived_uids(trial_id=self.run.trial_id, patient_key=key, pixel_hash=pixels)
        if isinstance(chosen, VolumeFile):
            return derived
        study, series, frame = (
            self.policy.mapped_uid(original) if original else None
            for original in (chosen.study_uid, chosen.series_uid, chosen.frame_of_reference_uid)
        )
        return ImageUids(
            study or derived.study, series or derived.series, frame or derived.frame_of_reference
        )

    def _choose_image(self, material: PatientMaterial) -> DicomSeries | VolumeFile:
        """Return the series that the wanted contours were drawn on, or the only image there is."""
        drawn_on: dict[str, DicomSeries] = {}
        for rule in self._region_rules():
            for structures in material.structure_sets:
                if material.series:
                    try:
                        roi = choose_roi(structures, rule.pattern)
                    except (RoiAbsentError, RoiAmbiguousError):
                        continue  # told when the mask is made
                    series = series_of(structures, roi, material.series)
                    drawn_on[series.series_uid] = series
        if len(drawn_on) == 1:
            return next(iter(drawn_on.values()))
        candidates: list[DicomSeries | VolumeFile] = [
            *(drawn_on.values() or material.series),
            *material.images,
        ]
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise NotAnImageError(
                "The patient has contours but no image that can be read; send the images with them."
            )
        listed = "; ".join(
            f"#{n}: {c.summary() if isinstance(c, DicomSeries) else c.path.name}"
            for n, c in enumerate(candidates, 1)
        )
        raise SeveralSeriesError(
            f"The patient has {len(candidates)} images ({listed}); send one, or the structure set that names "
            "it."
        )

    def _open(self, chosen: DicomSeries | VolumeFile) -> ImageStack:
        """Return the image the usual way round; a series' pixels are still in its files."""
        if isinstance(chosen, VolumeFile):
            return stack_of_volume(load_image(chosen))
        self._refuse_identity(chosen, _stated_by_header(chosen))
        return stack_of_series(chosen, limits=self.limits)

    def _what_may_identify(
        self, chosen: DicomSeries | VolumeFile, image: ImageStack
    ) -> tuple[ReviewReason, ...]:
        """Return what may show who the patient is. Pixels are searched where writing is usual: in planar images."""
        reasons = _stated_by_header(chosen) if isinstance(chosen, DicomSeries) else ()
        if image.description.views:
            views = [read() for read in image.frames()]
            if any(writing_in(view[np.newaxis]) for view in views):
                reasons = (*reasons, ReviewReason.WRITING_IN_PIXELS)
                self._refuse_identity(chosen, reasons)
        return reasons

    def _refuse_identity(self, chosen: DicomSeries | VolumeFile, reasons: tuple[ReviewReason, ...]) -> None:
        if reasons and self.policy.refuse_burned_in:
            path = chosen.paths[0] if isinstance(chosen, DicomSeries) else chosen.path
            raise IdentityInPixelsError(
                f"The image of {path.name} {_REASON_SENTENCES[reasons[-1]]}; send it without that, or let the protocol "
                "say that such images are reviewed.",
                file=path.name,
            )

    def _cleaned_originals(
        self, key: str, material: PatientMaterial, chosen: DicomSeries | VolumeFile, files: NewFiles
    ) -> list[tuple[str, StoredFile]]:
        """Write the patient's DICOM files as they may be kept, if the trial keeps them; volume files have none."""
        if not self.policy.keep_originals or not isinstance(chosen, DicomSeries):
            return []
        profile = self.policy.cleaning(
            material.original_id,
            patient_code=f"P-{key[:_CODE_CHARACTERS].upper()}",
            keeps_region=lambda name: names_region(name, self.rules),
        )
        kinds = [(path, "image") for path in chosen.paths]
        kinds += [
            (one.path, "segmentation" if one.is_segmentation else "structure set")
            for one in material.structure_sets
        ]
        return [(kind, self._cleaned_original(path, profile, files)) for path, kind in kinds]

    def _cleaned_original(self, path: Path, profile: CleaningProfile, files: NewFiles) -> StoredFile:
        try:
            dataset = open_dataset(path, limits=self.limits)
            cleaned = clean_dataset(dataset, profile)
            counted = set(named_by_profile(dataset, self.removed.profile))
            self.removed.add_changes((c for c in cleaned.changes if c not in counted), path)
            with quiet_pydicom():
                return files.write(
                    lambda sink: cleaned.dataset.save_as(sink, enforce_file_format=True), StoreKind.ORIGINALS
                )
        except (*DAMAGE, RuntimeError) as error:
            raise TruncatedFileError(
                f"{path.name} cannot be cleaned, so it cannot be kept: the file is damaged or ends early; copy it "
                "again.",
                file=path.name,
            ) from error

    def _note_clipped(self, chosen: DicomSeries | VolumeFile, image: ImageStack) -> None:
        clipped = image.clipped_voxels()
        if clipped and isinstance(chosen, DicomSeries):
            self._annotate(
                chosen.paths, f"{clipped} voxels of the series lay beyond 16 bits and were set to the end."
            )

    def _masks(
        self, material: PatientMaterial, chosen: DicomSeries | VolumeFile, grid: Grid
    ) -> dict[str, PreparedMask]:
        """Return the masks by source, encoded one by one: voxels of several are never in memory together."""
        masks: dict[str, PreparedMask] = {}
        for rule in self.rules:
            found = (
                self._mask_of_region(rule, material, chosen)
                if rule.applies_to is RuleScope.REGION
                else self._mask_of_file(rule, material, grid)
            )
            if found is not None:
                if rule.source in masks:
                    raise RoiAmbiguousError(
                        f"Two rules found a contour of the source '{rule.source}'; keep one of them."
                    )
                masks[rule.source] = mask_prepare(found, grid, source=rule.source)
        return masks

    def _mask_of_region(
        self, rule: RoiRule, material: PatientMaterial, chosen: DicomSeries | VolumeFile
    ) -> Mask | None:
        """Return the region's mask from the one structure set that has it."""
        found, refusals = [], []
        for structures in material.structure_sets:
            try:
                found.append((structures, choose_roi(structures, rule.pattern)))
            except RoiAbsentError as error:
                refusals.append(error)
        if not found:
            if not rule.required or self._file_rule_serves(rule.source, material):
                return None
            raise (
                refusals[0]
                if refusals
                else RoiAbsentError(
                    f"The patient has no structure set, so no region '{rule.pattern}' for the source "
                    f"'{rule.source}'."
                )
            )
        if len(found) > 1:
            names = ", ".join(structures.path.name for structures, _ in found)
            raise RoiAmbiguousError(
                f"{len(found)} structure sets ({names}) have a region '{rule.pattern}'; send one."
            )
        structures, roi = found[0]
        if not isinstance(chosen, DicomSeries):
            raise FrameOfReferenceError(
                f"{structures.path.name} needs the DICOM images it was drawn on, not a volume file.",
                file=structures.path.name,
            )
        series_of(structures, roi, [chosen])
        return roi_mask(structures, roi, chosen.grid, limits=self.limits)

    def _mask_of_file(self, rule: RoiRule, material: PatientMaterial, grid: Grid) -> Mask | None:
        files = [file for file in material.masks if rule.matches_file(file.path.name)]
        if not files:
            if not rule.required:
                return None
            raise RoiAbsentError(
                f"The patient has no mask file '{rule.pattern}' for the source '{rule.source}'."
            )
        if len(files) > 1:
            names = ", ".join(file.path.name for file in files)
            raise RoiAmbiguousError(
                f"{len(files)} mask files ({names}) answer to '{rule.pattern}'; send one."
            )
        return mask_on_grid(load_mask(files[0]), grid, name=files[0].path.name)

    def _file_rule_serves(self, source: str, material: PatientMaterial) -> bool:
        rules = [rule for rule in self.rules if rule.source == source and rule.applies_to is RuleScope.FILE]
        return any(rule.matches_file(file.path.name) for rule in rules for file in material.masks)

    def _refuse_other_identity(self, key: str, pixels: str) -> None:
        """The same image under another patient, or in the trial's other part, is one patient too many."""
        if pixels in self.forbidden.pixel_hashes:
            raise PatientSharedError(
                "The same image is in the trial's other part (practice or trial); practice patients must be "
                "others."
            )
        known = StoredVolume.objects.filter(trial_id=self.run.trial_id, pixel_hash=pixels).first()
        if known is not None and known.patient_key and known.patient_key != key:
            raise PatientSharedError("The same image is in the trial already under another patient's id.")

    def _region_rules(self) -> list[RoiRule]:
        return [rule for rule in self.rules if rule.applies_to is RuleScope.REGION]

    def _keep_out(self, key: str, material: PatientMaterial, error: IngestError) -> None:
        self.problems.append(PatientProblem(key, error.code, error.message, error.advice))
        for path in material.paths():
            relative = self.contents.relative(path)
            self.reports[relative] = replace(
                self.reports[relative],
                outcome=FileOutcome.FAILED,
                code=error.code,
                sentence=error.message,
                advice=error.advice,
            )

    def _note_unused_images(self, material: PatientMaterial, chosen: DicomSeries | VolumeFile) -> None:
        used = set(chosen.paths) if isinstance(chosen, DicomSeries) else {chosen.path}
        every = {path for series in material.series for path in series.paths} | {
            f.path for f in material.images
        }
        for path in every - used:
            relative = self.contents.relative(path)
            words = "Ignored: not the series that the contours were drawn on."
            self.reports[relative] = replace(
                self.reports[relative], outcome=FileOutcome.IGNORED, sentence=words, advice=words
            )

    def _annotate(self, paths: Sequence[Path], words: str) -> None:
        for path in paths:
            relative = self.contents.relative(path)
            earlier = self.reports[relative].sentence
            joined = f"{earlier} {words}".strip()
            self.reports[relative] = replace(self.reports[relative], sentence=joined, advice=joined[:200])


def _stated_by_header(series: DicomSeries) -> tuple[ReviewReason, ...]:
    stated = {
        ReviewReason.BURNED_IN_ANNOTATION: series.burned_in_annotation,
        ReviewReason.RECOGNISABLE_FEATURES: series.recognisable_features,
    }
    return tuple(reason for reason, is_stated in stated.items() if is_stated)


def _attach_originals(
    patient: IngestedPatient, originals: Sequence[tuple[str, StoredFile]], files: NewFiles
) -> None:
    """Make the rows of a patient's originals, inside the patient's transaction; those that are there stay."""
    if not originals or patient.volume.originals.exists():
        return
    StoredOriginal.objects.bulk_create(
        [
            StoredOriginal(
                volume=patient.volume,
                kind=kind,
                number=number,
                key=file.key,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
            )
            for number, (kind, file) in enumerate(originals, start=1)
        ],
        batch_size=500,
    )
    files.keep({file.key for _, file in originals})


def _report_row(run: IngestRun, number: int, report: FileReport) -> IngestFileReport:
    return IngestFileReport(
        run=run,
        number=number,
        outcome=report.outcome.value,
        kind=report.kind[:32],
        code=report.code.value if report.code else "",
        advice=report.advice,
    )


def _ingested(key: str, stored: StoredPatient, to_review: tuple[ReviewReason, ...]) -> IngestedPatient:
    return IngestedPatient(key, stored.volume, stored.masks, stored.already_there, to_review)


def _attach_nothing(patient: IngestedPatient) -> None:
    """Write nothing beside the patient."""


def _no_progress(done: int, total: int) -> None:
    """Tell nobody."""
