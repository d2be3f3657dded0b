"""A folder into a trial's archive: read, de-identify, store patient by patient, and account for every file.

A patient comes in whole or not at all: whatever is wrong with one contour, slice or file of a patient keeps
all of that patient out, with the reason in the report, and leaves the other patients alone. Sending the same
folder again stores nothing twice.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.models import IngestFileReport, IngestRun, IngestState, StoredMask, StoredVolume
from equipoise.archive.patients import PatientMaterial, sort_by_patient
from equipoise.archive.roi_rules import RoiRule, RuleScope, file_patterns
from equipoise.archive.services import patient_store, volume_prepare
from equipoise.archive.storage import PackStore, StoreKind, default_store, incoming_folder
from equipoise.common.errors import ErrorCode
from equipoise.imaging.containers import is_archive
from equipoise.imaging.errors import (
    FrameOfReferenceError,
    IdentityInPixelsError,
    IngestError,
    NotAnImageError,
    PatientSharedError,
    RoiAbsentError,
    RoiAmbiguousError,
    SeveralSeriesError,
)
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
from equipoise.imaging.series import DicomSeries, load_series
from equipoise.imaging.structure_set import choose_roi, roi_mask, series_of
from equipoise.imaging.volume import ImageVolume
from equipoise.imaging.volume_files import VolumeFile, load_image, load_mask

Progress = Callable[[int, int], None]
"""Called with (patients done, patients in all), outside any transaction."""


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
) -> IngestOutcome:
    """Read a folder (or one archive) into a trial's archive.

    Call it outside a transaction: files are read and written between short ones of its own, one per patient.
    """
    run = IngestRun.objects.create(trial_id=trial_id, institute_id=institute_id)
    ingest = _Ingest(
        run, policy, tuple(roi_rules), forbidden or ForbiddenPatients(), limits, store or default_store()
    )
    workspace = incoming_folder() / str(run.id)
    workspace.mkdir()
    try:
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
    contents: FolderContents = field(default_factory=lambda: FolderContents(Path()))
    reports: dict[str, FileReport] = field(default_factory=dict)
    stored: list[IngestedPatient] = field(default_factory=list)
    problems: list[PatientProblem] = field(default_factory=list)

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
            source, limits=self.limits, mask_patterns=file_patterns(self.rules), workspace=workspace
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
        lines = [
            json.dumps({"number": number, **{k: v for k, v in asdict(report).items() if k != "advice"}})
            for number, report in enumerate(reports, start=1)
        ]
        content = "".join(f"{line}\n" for line in lines).encode()
        log = self.store.write(
            lambda sink: sink.write(content),
            institute_id=self.run.institute_id,
            trial_id=self.run.trial_id,
            kind=StoreKind.INGEST_LOGS,
        )
        counts = {outcome: sum(r.outcome is outcome for r in reports) for outcome in FileOutcome}
        try:
            with transaction.atomic():
                IngestFileReport.objects.bulk_create(
                    [_report_row(self.run, number, report) for number, report in enumerate(reports, start=1)],
                    batch_size=500,
                )
                self.run.state, self.run.finished_at = IngestState.FINISHED, timezone.now()
                self.run.used, self.run.ignored = counts[FileOutcome.USED], counts[FileOutcome.IGNORED]
                self.run.failed, self.run.log_key = counts[FileOutcome.FAILED], log.key
                self.run.save()
        except BaseException:
            self.store.delete(log.key)
            raise
        return IngestOutcome(self.run, tuple(self.stored), tuple(self.problems), reports)

    def abandon(self) -> None:
        IngestRun.objects.filter(pk=self.run.pk).update(
            state=IngestState.FAILED, finished_at=timezone.now(), log_key=""
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
        image = self._load(chosen)
        masks = self._masks(material, chosen, image)
        prepared = volume_prepare(replace(image, description=self.policy.reduced(image.description)))
        self._refuse_other_identity(key, prepared.pixel_hash)
        stored = patient_store(
            prepared,
            masks,
            trial_id=self.run.trial_id,
            institute_id=self.run.institute_id,
            patient_key=key,
            run=self.run,
            store=self.store,
        )
        self.stored.append(IngestedPatient(key, stored.volume, stored.masks, stored.already_there))
        self._note_unused_images(material, chosen)
        if stored.already_there:
            self._annotate(material.paths(), "The image is in the trial already; nothing was stored twice.")

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

    def _load(self, chosen: DicomSeries | VolumeFile) -> ImageVolume:
        if isinstance(chosen, VolumeFile):
            return load_image(chosen)
        if chosen.burned_in_annotation and self.policy.refuse_burned_in:
            raise IdentityInPixelsError(
                f"The series of {chosen.paths[0].name} says that annotations are burned into its pixels; "
                "send it without "
                "them.",
                file=chosen.paths[0].name,
            )
        loaded = load_series(chosen, limits=self.limits)
        if loaded.clipped_voxels:
            self._annotate(
                chosen.paths,
                f"{loaded.clipped_voxels} voxels of the series lay beyond 16 bits and were set to the end.",
            )
        return loaded.volume

    def _masks(
        self, material: PatientMaterial, chosen: DicomSeries | VolumeFile, image: ImageVolume
    ) -> dict[str, Mask]:
        masks: dict[str, Mask] = {}
        for rule in self.rules:
            found = (
                self._mask_of_region(rule, material, chosen)
                if rule.applies_to is RuleScope.REGION
                else self._mask_of_file(rule, material, image)
            )
            if found is not None:
                if rule.source in masks:
                    raise RoiAmbiguousError(
                        f"Two rules found a contour of the source '{rule.source}'; keep one of them."
                    )
                masks[rule.source] = found
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

    def _mask_of_file(self, rule: RoiRule, material: PatientMaterial, image: ImageVolume) -> Mask | None:
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
        return mask_on_grid(load_mask(files[0]), image.grid, name=files[0].path.name)

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


def _report_row(run: IngestRun, number: int, report: FileReport) -> IngestFileReport:
    return IngestFileReport(
        run=run,
        number=number,
        outcome=report.outcome.value,
        kind=report.kind[:32],
        code=report.code.value if report.code else "",
        advice=report.advice,
    )


def _no_progress(done: int, total: int) -> None:
    """Tell nobody."""
