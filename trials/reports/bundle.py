"""The bundle of a finished trial: everything that its numbers rest on, as files that need no server.

It holds results by arm, the reference standard, comments and the codes of the screens: it is the trial's archive for
those who may see these, not the form in which data are made public (:mod:`trials.reports.public_bundle`).
"""

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

from equipoise.analysis.plan import build_options
from equipoise.analysis.registry import analysis_method
from equipoise.archive.models import StoredVolume
from equipoise.archive.selectors import stored_heat_levels, stored_mask
from equipoise.archive.storage import default_store
from equipoise.audit.selectors import chain_verify, entry_export
from equipoise.common.collector import collector_slowed
from equipoise.imaging.mask import Mask
from trials.domain.bundle import (
    BUNDLE_SCHEMA,
    REPORT,
    SIGNATURES,
    write_json,
    write_lines,
    write_manifest,
    zip_into,
)
from trials.domain.bundle_contents import EXTERNAL_INDEX, TABLES, external_file
from trials.domain.states import ReadingState
from trials.models import (
    AlgorithmHeatMap,
    AlgorithmResult,
    Contour,
    Reading,
    ReadingAttempt,
    ReadingEvent,
    Response,
    ResponseFile,
    Trial,
)
from trials.reports.bundle_index import IndexedResult, write_results_index
from trials.reports.columnar import readings_parquet
from trials.reports.contours import drawn_files, drawn_name
from trials.reports.exports import (
    allocation_csv,
    analysed_truth_csv,
    csv_line,
    deviations_csv,
    environments_csv,
    labels_csv,
    participants_csv,
    queries_csv,
    readings_csv,
    readings_json,
    segmentations_csv,
    tables_workbook,
    truth_csv,
)
from trials.reports.mrmc_files import write_mrmc_files
from trials.reports.odm import write_odm
from trials.reports.report import report_of
from trials.reports.results import Reported, ReportedResult, results_into
from trials.selectors.allocation import allocation_published
from trials.selectors.bundle import bundle_unpack, imported_bundle
from trials.selectors.external import (
    OF_THE_TRIAL,
    external_all_current,
    external_current,
    external_lines,
    external_provenance,
)
from trials.selectors.labels import consensus_of
from trials.selectors.segmentations import MASK, has_segmentations, response_mask
from trials.selectors.signatures import signature_export
from trials.services.analysis import FrozenReadings
from trials.services.bundle import PackedBundle, bundle_pack, require_unblinded


@dataclass(frozen=True)
class Bundle:
    """What was written: where, how many files, and the analyses that could not be computed, with the reason."""

    folder: Path
    files: int
    not_computed: Mapping[str, str]


def write_bundle(trial: Trial, folder: Path) -> Bundle:
    """Write the bundle into an empty folder; of an imported trial, the files it was brought as.

    Raises
    ------
    StateConflictError
        Before unblinding.
    FileExistsError
        If the folder holds anything: a manifest names every file of its bundle, and no other.
    """
    require_unblinded(trial)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; a bundle takes an empty folder of its own.")
    imported = imported_bundle(trial)
    if imported is not None:
        bundle_unpack(imported, folder)
        return Bundle(folder, imported.file_count, imported.not_computed)
    write_json(folder / "trial.json", _trial_document(trial))
    _protocols(trial, folder / "protocol")
    frozen = FrozenReadings(trial)
    with collector_slowed():
        _tables(trial, frozen, folder)
        _external(trial, folder)
        write_json(folder / "allocation.json", allocation_published(trial))
        write_json(folder / SIGNATURES, signature_export(trial))
        _audit_trail(trial, folder / "audit")
        keys = _reading_keys(trial)
        write_lines(folder / "events.jsonl", _json_lines(_events(trial, keys)))
        write_lines(folder / "responses.jsonl", _json_lines(_responses(trial, keys)))
    _masks(trial, folder)
    _heat_maps(trial, folder / "heat-maps")
    write_odm(trial, frozen.rows(), folder / "odm.xml")
    write_mrmc_files(trial, frozen.rows(), folder / "mrmc")
    reported = results_into(trial, frozen, folder / "results")
    _results(trial, folder, reported)
    write_lines(folder / REPORT, [report_of(trial, reported)])
    for name in ("README.txt", "reproduce.py", "reproduce.R"):
        text = (resources.files("trials.templates") / "bundle" / name).read_text(encoding="utf-8")
        write_lines(folder / name, [text])
    return Bundle(folder, write_manifest(folder) + 1, reported.not_computed)


def zip_bundle(folder: Path, target: Path) -> None:
    """Put a bundle's folder into one compressed file, which must not be there already."""
    with target.open("xb") as sink:
        zip_into(folder, sink)


def bundle_make(trial: Trial) -> PackedBundle:
    """Make the trial's bundle in the store, for whoever calls to keep or to discard."""
    begun_at = timezone.now()
    with tempfile.TemporaryDirectory() as folder:
        made = write_bundle(trial, Path(folder))
        return bundle_pack(
            trial, made.folder, begun_at=begun_at, file_count=made.files, not_computed=made.not_computed
        )


# ---------------------------------------------------------------- the trial, its protocol, its tables


def _trial_document(trial: Trial) -> dict[str, Any]:
    moments = ("created_at", "opened_at", "closed_at", "data_locked_at", "unblinded_at")
    return {
        "schema": BUNDLE_SCHEMA,
        "id": str(trial.id),
        "slug": trial.slug,
        "title": trial.title,
        "state": trial.state,
        **{name: getattr(trial, name) and getattr(trial, name).isoformat() for name in moments},
        "data_sha256": trial.data_sha256,
        "bundled_at": timezone.now().isoformat(),
        "equipoise": metadata.version("equipoise"),
    }


def _protocols(trial: Trial, folder: Path) -> None:
    for version in trial.protocol_versions.order_by("version"):
        stem = f"version-{version.version}"
        write_lines(folder / f"{stem}.yaml", [version.text])
        write_json(
            folder / f"{stem}.json",
            {
                "version": version.version,
                "sha256": version.sha256,
                "locked_at": version.locked_at and version.locked_at.isoformat(),
                "reason": version.reason,
                "document": version.document,
            },
        )


def _tables(trial: Trial, frozen: FrozenReadings, folder: Path) -> None:
    tables = {
        "readings.csv": readings_csv(trial, frozen.rows()),
        "readings.json": readings_json(trial, frozen.rows()),
        "participants.csv": participants_csv(trial),
        "environments.csv": environments_csv(trial),
        "allocation.csv": allocation_csv(trial),
        "queries.csv": queries_csv(trial),
        "deviations.csv": deviations_csv(trial),
    }
    if _has_truth(trial):
        tables |= {"truth.csv": analysed_truth_csv(trial), "reference-standard.csv": truth_csv(trial)}
    if has_segmentations(trial):
        tables["segmentations.csv"] = segmentations_csv(trial)
    if consensus_of(trial) is not None:
        tables["labels.csv"] = labels_csv(trial)
    for name, lines in tables.items():
        write_lines(folder / name, lines)
    with (folder / "readings.parquet").open("wb") as sink:
        sink.writelines(readings_parquet(trial, frozen.rows()))
    with (folder / "tables.xlsx").open("wb") as sink:
        tables_workbook(trial, sink, frozen.rows())


def _external(trial: Trial, folder: Path) -> None:
    """Write what was collected elsewhere, each table as it was analysed, and where it came from."""
    tables = external_all_current(trial)
    if not tables:
        return
    for table in tables:
        write_lines(folder / external_file(table.key), map(csv_line, external_lines(table)))
    write_json(folder / EXTERNAL_INDEX, [external_provenance(table) for table in tables])


def _audit_trail(trial: Trial, folder: Path) -> None:
    chain = str(trial.id)
    folder.mkdir(parents=True)
    with (folder / "trail.jsonl").open("w", encoding="utf-8", newline="") as sink:
        report = chain_verify(chain, each=lambda entry: sink.write(_json_line(entry_export(entry))))
    head = {
        "chain": chain,
        "entries": report.entries,
        "head_hash": report.head_hash,
        "intact": report.is_intact,
    }
    write_json(folder / "head.json", head | {"problems": list(report.problems)})


def _reading_keys(trial: Trial) -> dict[UUID, dict[str, Any]]:
    """Return what each reading is known by; loaded once, for events are many."""
    columns = ("participant__code", "item__case__code", "item__code", "condition", "repeat", "phase")
    names = ("participant", "case", "item", "condition", "repeat", "phase")
    return {
        reading_id: {"reading": str(reading_id), **dict(zip(names, told, strict=True))}
        for reading_id, *told in Reading.objects.filter(trial=trial).values_list("id", *columns)
    }


def _events(trial: Trial, keys: Mapping[UUID, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    earlier: dict[UUID, list[int]] = {}
    for reading_id, last_lease in ReadingAttempt.objects.filter(reading__trial=trial).values_list(
        "reading_id", "last_lease"
    ):
        earlier.setdefault(reading_id, []).append(last_lease)
    names = ("reading_id", "lease", "sequence", "kind", "clock_id", "t_ms", "wall_ms", "received_at", "data")
    events = (
        ReadingEvent.objects.filter(reading__trial=trial)
        .exclude(reading__state=ReadingState.VOIDED)
        .order_by("reading__participant__code", "reading__position", "lease", "sequence")
        .values_list(*names)
    )
    for reading_id, lease, *told in events.iterator(chunk_size=2000):
        event = dict(zip(names[2:], told, strict=True))
        yield {
            **keys[reading_id],
            "attempt": 1 + sum(lease > last for last in earlier.get(reading_id, ())),
            "lease": lease,
            **event,
            "received_at": event["received_at"].isoformat(),
        }


def _responses(trial: Trial, keys: Mapping[UUID, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every answer that is in use, corrections and practice included; words stand in ``comment`` alone."""
    names = (
        "reading_id", "number", "answer", "timing", "flags", "events_sha256", "reason", "submitted_at",
    )  # fmt: skip
    responses = (
        Response.objects.filter(reading__trial=trial)
        .exclude(reading__state=ReadingState.VOIDED)
        .order_by("reading__participant__code", "reading__position", "number")
        .values_list(*names)
    )
    for reading_id, *told in responses.iterator(chunk_size=2000):
        response = dict(zip(names[1:], told, strict=True))
        yield {**keys[reading_id], **response, "submitted_at": response["submitted_at"].isoformat()}


# ---------------------------------------------------------------- contours and heat maps


def _masks(trial: Trial, folder: Path) -> None:
    """Write what lies on each image: stored contours, algorithms' masks, readers' drawings; drawing logs beside."""
    from equipoise.archive.export import masks_export

    drawn = drawn_files(trial)
    images = StoredVolume.objects.filter(case_image__case__trial=trial).select_related("case_image__case")
    for volume in images.order_by("case_image__case__code", "id"):
        masks = _masks_of(volume, drawn)
        code = volume.case_image.case.code
        if masks:
            several = volume.case_image.case.images.count() > 1
            name = f"{code}-{str(volume.id)[-4:]}" if several else code
            masks_export(volume, masks, folder / "masks" / name, code=code)
    for file in drawn:
        if file.name != MASK and file.response is not None:
            case = file.response.reading.item.case.code
            target = folder / "drawings" / case / f"{drawn_name(file)}-{file.name}.json.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(default_store().read(file.key))


def _masks_of(volume: StoredVolume, drawn: Iterable[ResponseFile]) -> dict[str, Mask]:
    masks = {
        contour.source: stored_mask(contour.mask)
        for contour in Contour.objects.filter(mask__volume=volume).select_related("mask").order_by("source")
    }
    results = AlgorithmResult.objects.filter(mask__volume=volume, contour=None).select_related(
        "mask", "participant"
    )
    for result in results.order_by("participant__code", "task", "repeat", "attempt"):
        if result.mask is not None:
            masks[f"{result.participant.code}-{result.task}-repeat{result.repeat}"] = stored_mask(result.mask)
    for file in drawn:
        response = file.response
        if file.name == MASK and response is not None and response.reading.item.image.volume_id == volume.id:
            masks[drawn_name(file)] = Mask(response_mask(file, volume.grid), volume.grid)
    return masks


def _heat_maps(trial: Trial, folder: Path) -> None:
    import numpy as np

    from equipoise.imaging.export import write_image_nrrd
    from equipoise.imaging.volume import ImageVolume

    maps = AlgorithmHeatMap.objects.filter(result__trial=trial).select_related(
        "result__case", "result__participant", "stored__volume"
    )
    for heat in maps.order_by("result__case__code", "result__participant__code", "result__repeat"):
        result, volume = heat.result, heat.stored.volume
        stem = f"{result.participant.code}-{result.task}-repeat{result.repeat}-attempt{result.attempt}"
        target = folder / result.case.code
        target.mkdir(parents=True, exist_ok=True)
        levels = stored_heat_levels(heat.stored).astype(np.int16)
        write_image_nrrd(ImageVolume(levels, volume.grid, volume.modality), target / f"{stem}.nrrd")
        write_json(
            target / f"{stem}.json",
            {
                "method": heat.method,
                "layer": heat.layer,
                "target_class": heat.target_class,
                "levels": "0 to 255",
            },
        )


# ---------------------------------------------------------------- results


def _results(trial: Trial, folder: Path, reported: Reported) -> None:
    indexed = [
        IndexedResult(one.key, one.told, one.planned, _inputs(trial, one, folder), one.data)
        for one in reported.entries
    ]
    write_results_index(
        folder,
        indexed,
        schema=BUNDLE_SCHEMA,
        data_sha256=trial.data_sha256,
        not_computed=reported.not_computed,
    )


def _inputs(trial: Trial, reported: ReportedResult, folder: Path) -> dict[str, str]:
    """Return which of the bundle's tables the analysis took."""
    method = analysis_method(reported.told["name"])
    known = {name: value for name, value in reported.told["parameters"].items() if value is not None}
    needs = method.needs(build_options(method.options, known))
    there = {name: file for name, file in TABLES.items() if name != "truth" or _has_truth(trial)}
    table = external_current(trial, reported.data)
    if table is not None:
        there = {table.kind: external_file(table.key)}
        if table.patients == OF_THE_TRIAL and _has_truth(trial):
            there["truth"] = TABLES["truth"]
    files = {name: file for name, file in there.items() if name in needs and (folder / file).is_file()}
    if not reported.where.keys() <= _columns(folder, files.get("readings")):
        files["truth"] = TABLES["truth"]  # a covariate stands with the reference standard
        if not (folder / TABLES["truth"]).is_file():
            write_lines(folder / TABLES["truth"], analysed_truth_csv(trial))
    return files


def _has_truth(trial: Trial) -> bool:
    return trial.cases.exclude(reference_standards=None).exists()


def _columns(folder: Path, file: str | None) -> set[str]:
    if file is None:
        return set()
    with (folder / file).open(encoding="utf-8", newline="") as source:
        return set(next(csv.reader(source), ()))


# ---------------------------------------------------------------- files


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return map(_json_line, rows)


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
