"""The form in which a bundle is made public: its tables without what could lead to a person, and results of these.

It is made of the files of a bundle: an imported trial has a public form like any other.
"""

import csv
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from django.utils import timezone

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import ALL_SUBMITTED, AnalysisPlan
from equipoise.analysis.results import AnalysisResult
from equipoise.analysis.run import run_analysis
from equipoise.analysis.schemas import SCHEMAS
from equipoise.analysis.write import write_result
from equipoise.common.errors import DomainError, ValidationFailedError
from equipoise.common.safe_cells import read_cell, safe_cell
from trials.domain.bundle import PUBLIC_SCHEMA, manifest_sha256, write_json, write_lines, write_manifest
from trials.domain.bundle_contents import EXTERNAL_INDEX, TABLES, external_file
from trials.domain.protocol.document import check_document
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.publication import (
    COMMENT,
    PUBLIC_COLUMNS,
    WITHHELD_COLUMNS,
    experience_band,
    merged_classes,
    public_codes,
)
from trials.models import Trial
from trials.reading_tasks.registry import reading_task
from trials.reports.bundle_index import IndexedResult, write_results_index
from trials.reports.exports import csv_line
from trials.selectors.bundle import bundle_unpack
from trials.services.analysis import FIGURE_FORMATS
from trials.services.public_bundle import (
    PackedPublicBundle,
    public_bundle_pack,
    reader_names,
    require_publishable,
)

OTHER = "other"
"""The group of readers whose own one has too few."""
LABELS = "labels.csv"
_SOURCES = re.compile(
    r"(manifest|trial|results)\.json|(readings|truth|segmentations|labels)\.csv|external/[^/]+"
    r"|protocol/version-\d+\.json|results/[^/]+/results\.json"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_SCREEN_CODE = re.compile(r"[A-Z]-\d{2,}")
_TEXT_FILES = frozenset({".csv", ".json", ".svg", ".txt"})
_MARKS = re.compile(r"[;:,=]")
"""What parts the names in a parameter."""
_MAX_SHOWN = 20

Row = dict[str, str]


@dataclass(frozen=True)
class PublicBundle:
    """What was written, and the analyses that the public tables do not give, with the reason."""

    folder: Path
    files: int
    not_computed: Mapping[str, str]


@dataclass(frozen=True)
class _Readers:
    """The readers of one table: their public codes, groups and bands of experience."""

    codes: Mapping[str, str]
    groups: Mapping[str, str]
    bands: Mapping[str, str]

    @classmethod
    def of(cls, rows: Iterable[Row], *, prefix: str, secret: bytes) -> "_Readers":
        """Return those of the rows that are no algorithm's."""
        own = {row["participant"]: row for row in rows if row.get("participant_kind") != "algorithm"}
        groups = merged_classes({code: row.get("group", "") for code, row in own.items()}, pooled=OTHER)
        if len(set(groups.values())) < 2:
            groups = dict.fromkeys(groups, "")
        bands: dict[str, str] = {}
        for group in set(groups.values()):
            told = {
                code: experience_band(float(years)) if (years := own[code].get("experience_years")) else ""
                for code in own
                if groups[code] == group
            }
            bands |= merged_classes(told, pooled="")
        return cls(public_codes(own, prefix=prefix, secret=secret), groups, bands)

    def code(self, code: str) -> str:
        """Return the public code; an algorithm's and a source's are their own."""
        return self.codes.get(code, code)

    def parameter(self, value: Any) -> Any:
        """Return a parameter of an analysis with public codes where it names readers."""
        if isinstance(value, str):
            parts = re.split(r"([;:,=])", value)
            return "".join(self.code(part) for part in parts)
        if isinstance(value, list):
            return [self.parameter(one) for one in value]
        if isinstance(value, dict):
            return {self.code(name): self.parameter(one) for name, one in value.items()}
        return value


@dataclass(frozen=True)
class _Entry:
    """One analysis of the bundle: its entry of ``results.json``, and its own."""

    index: Mapping[str, Any]
    told: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.index["results"]).split("/")[1]

    @property
    def data(self) -> str:
        return str(self.index.get("data", ""))

    def names(self) -> frozenset[str]:
        """Return the words that parameters, part and numbers are told with; columns are among them."""
        words = set(_words(self.told["parameters"])) | set(self.told.get("where") or {})
        for number in self.told["numbers"]:
            words.update(map(str, number["subject"].values()))
        return frozenset(words)


def is_public_source(name: str) -> bool:
    """Say whether the public form is made of a file of the bundle; contours, events and the like are not read."""
    return _SOURCES.fullmatch(name) is not None


def write_public_bundle(
    source: Path, folder: Path, *, secret: bytes, comments_reviewed: bool = False, names: Collection[str] = ()
) -> PublicBundle:
    """Write the public form of the bundle in a folder, into an empty one.

    Parameters
    ----------
    source : Path
        The bundle, or those of its files for which :func:`is_public_source` holds.
    secret : bytes
        Of the trial: gives readers their public codes, the same at each making.
    comments_reviewed : bool
        Whether somebody has read every comment and free-text answer; only then they are in it.
    names : collection of str
        Names and e-mail addresses of readers, which must stand in no file.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    ValidationFailedError
        If a file would name a reader, by name, address or the code of the screens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; a bundle takes an empty folder of its own.")
    index = _read_json(source / "results.json")
    entries = [_Entry(one, _read_json(source / one["results"])) for one in index["analyses"]]
    version = _protocol_version(source)
    protocol = check_document(version["document"]).protocol
    if protocol is None:
        raise ValidationFailedError(
            "The protocol of this bundle cannot be read by this version of Equipoise."
        )
    header, rows = _read_table(source / TABLES["readings"])
    readers = _Readers.of(rows, prefix="reader", secret=secret)
    words = _words_columns(protocol)

    own = [one for one in entries if not one.data]
    columns = _readings_columns(protocol, with_words=comments_reviewed)
    _write_table(
        folder / TABLES["readings"],
        [name for name in header if name in columns],
        _public_rows(rows, readers),
    )
    _write_table(
        folder / "participants.csv",
        ("participant", "participant_kind", "group", "experience_band"),
        _participants(rows, readers),
    )
    covariates = _truth(source, folder, own)
    _segmentations(source, folder, readers)
    _labels(source, folder, readers, words)
    external = _external(source, folder, entries, secret=secret)
    write_json(folder / "protocol.json", _public_protocol(version))

    not_computed = dict.fromkeys(index["not_computed"], "It was not computed for the trial's bundle either.")
    results = []
    for one in entries:
        try:
            results.append(_computed(one, folder, readers if not one.data else external[one.data]))
        except (AnalysisInputError, DomainError, ValueError) as error:
            not_computed[one.key] = str(error)
        except ArithmeticError as error:
            not_computed[one.key] = f"The computation went beyond what numbers hold: {error}."
    write_results_index(
        folder, results, schema=PUBLIC_SCHEMA, data_sha256=index["data_sha256"], not_computed=not_computed
    )
    write_json(
        folder / "trial.json",
        _trial_document(source)
        | {
            "readers": len(readers.codes),
            "groups_merged": len(set(readers.groups.values())) < len({row["group"] for row in rows}),
            "words": "reviewed" if comments_reviewed else "left out",
            "covariates_left_out": covariates,
        },
    )
    for name, template in (
        ("README.txt", "README-public.txt"),
        ("reproduce.py", "reproduce.py"),
        ("reproduce.R", "reproduce.R"),
    ):
        text = (resources.files("trials.templates") / "bundle" / template).read_text(encoding="utf-8")
        write_lines(folder / name, [text])
    screens = {code for code in readers.codes if _SCREEN_CODE.fullmatch(code)}
    _refuse_names(folder, {*screens, *names})
    return PublicBundle(folder, write_manifest(folder, schema=PUBLIC_SCHEMA) + 1, not_computed)


def public_bundle_make(trial: Trial, *, comments_reviewed: bool) -> PackedPublicBundle:
    """Make the public form of the kept bundle in the store, for whoever calls to keep or to discard."""
    begun_at = timezone.now()
    kept = require_publishable(trial)
    with tempfile.TemporaryDirectory() as scratch:
        source, folder = Path(scratch) / "bundle", Path(scratch) / "public"
        bundle_unpack(kept, source, wanted=is_public_source)
        made = write_public_bundle(
            source,
            folder,
            secret=bytes(trial.patient_key_secret),
            comments_reviewed=comments_reviewed,
            names=reader_names(trial),
        )
        return public_bundle_pack(
            trial,
            folder,
            begun_at=begun_at,
            made_of_sha256=kept.manifest_sha256,
            file_count=made.files,
            not_computed=made.not_computed,
            has_words=comments_reviewed,
        )


# ---------------------------------------------------------------- the trial and its protocol


def _trial_document(source: Path) -> dict[str, Any]:
    told = _read_json(source / "trial.json")
    moments = ("opened_at", "closed_at", "data_locked_at", "unblinded_at")
    return {
        "schema": PUBLIC_SCHEMA,
        "title": told["title"],
        **{name.removesuffix("_at"): (told.get(name) or "")[:7] or None for name in moments},
        "data_sha256": told["data_sha256"],
        "made_of_manifest_sha256": manifest_sha256(source),
        "equipoise": metadata.version("equipoise"),
    }


def _protocol_version(source: Path) -> dict[str, Any]:
    versions = [_read_json(path) for path in (source / "protocol").glob("version-*.json")]
    locked: dict[str, Any] = max(
        (one for one in versions if one["locked_at"] is not None), key=lambda one: int(one["version"])
    )
    return locked


def _public_protocol(version: Mapping[str, Any]) -> dict[str, Any]:
    document = {name: value for name, value in version["document"].items() if name != "consent"}
    if "consent" in version["document"]:
        document["consent"] = {
            name: value for name, value in version["document"]["consent"].items() if name != "text"
        }
    if "external_data" in document:
        document["external_data"] = [
            {name: value for name, value in one.items() if name != "collected"}
            for one in document["external_data"]
        ]
    return {
        "version": version["version"],
        "sha256": version["sha256"],
        "locked": version["locked_at"][:7],
        "document": _without_addresses(document),
    }


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return _EMAIL.sub("[e-mail address left out]", value)
    if isinstance(value, list):
        return [_without_addresses(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_addresses(one) for name, one in value.items()}
    return value


# ---------------------------------------------------------------- the tables


def _words_columns(protocol: ProtocolV1) -> frozenset[str]:
    """Return the questions of the rating form that are answered in words."""
    asked = protocol.task.form_questions if protocol.task is not None else ()
    return frozenset(one.key for one in asked if one.kind == QuestionKind.TEXT)


def _readings_columns(protocol: ProtocolV1, *, with_words: bool) -> frozenset[str]:
    known = set(PUBLIC_COLUMNS)
    if protocol.task is not None:
        asked = {one.key for one in protocol.task.form_questions}
        known |= {*reading_task(protocol.task.kind).columns, *(asked - _words_columns(protocol))}
    return frozenset(known | ({COMMENT, *_words_columns(protocol)} if with_words else set()))


def _public_rows(rows: Iterable[Row], readers: _Readers) -> list[Row]:
    """Return the readings by public codes and groups, in an order that says nothing of the screens' codes."""
    told = [
        row
        | {
            "participant": readers.code(row["participant"]),
            "group": readers.groups.get(row["participant"], ""),
        }
        for row in rows
    ]
    order = ("participant_kind", "participant", "task", "case", "item", "condition", "repeat")

    def place(row: Row) -> tuple[bool, tuple[str, ...]]:
        return row.get("participant_kind") == "algorithm", tuple(row.get(name, "") for name in order)

    return sorted(told, key=place)


def _participants(rows: Iterable[Row], readers: _Readers) -> list[Row]:
    people = {row["participant"]: row["participant_kind"] for row in rows}
    told = [
        {
            "participant": readers.code(code),
            "participant_kind": kind,
            "group": readers.groups.get(code, ""),
            "experience_band": readers.bands.get(code, ""),
        }
        for code, kind in people.items()
    ]
    return sorted(told, key=lambda row: (row["participant_kind"] == "algorithm", row["participant"]))


def _truth(source: Path, folder: Path, entries: Iterable[_Entry]) -> list[str]:
    """Write the reference standard with the covariates that analyses take; return the names of the others."""
    if not (source / TABLES["truth"]).is_file():
        return []
    header, rows = _read_table(source / TABLES["truth"])
    taken = frozenset().union(
        *(one.names() for one in entries), {"case", "item", "truth", "used_in_training"}
    )
    _write_table(folder / TABLES["truth"], [name for name in header if name in taken], rows)
    return [name for name in header if name not in taken]


def _segmentations(source: Path, folder: Path, readers: _Readers) -> None:
    if (source / TABLES["segmentations"]).is_file():
        header, rows = _read_table(source / TABLES["segmentations"])
        _write_table(folder / TABLES["segmentations"], header, _public_pairs(rows, readers))


def _public_pairs(rows: Iterable[Row], readers: _Readers) -> list[Row]:
    told = [row | {name: readers.code(row[name]) for name in ("first", "second")} for row in rows]
    order = ("case", "item", "kind", "first", "second")
    return sorted(told, key=lambda row: [row.get(name, "") for name in order])


def _labels(source: Path, folder: Path, readers: _Readers, words: Collection[str]) -> None:
    if not (source / LABELS).is_file():
        return
    header, rows = _read_table(source / LABELS)
    for row in rows:
        given = (one.partition("=") for one in row["labels"].split(";") if one)
        row["labels"] = ";".join(sorted(f"{readers.code(who)}={label}" for who, _, label in given))
    _write_table(folder / LABELS, header, [row for row in rows if row["question"] not in words])


# ---------------------------------------------------------------- data collected elsewhere


def _external(source: Path, folder: Path, entries: Iterable[_Entry], *, secret: bytes) -> dict[str, _Readers]:
    """Write the tables that were collected elsewhere; return the readers of each by its key."""
    if not (source / EXTERNAL_INDEX).is_file():
        return {}
    told, found = [], {}
    for one in _read_json(source / EXTERNAL_INDEX):
        own = [entry for entry in entries if entry.data == one["key"]]
        found[one["key"]] = _external_table(source, folder, one, own, secret=secret)
        kept = ("key", "table", "version", "planned", "patients", "measured_here", "rows")
        told.append({name: one[name] for name in kept if name in one})
    write_json(folder / EXTERNAL_INDEX, told)
    return found


def _external_table(
    source: Path, folder: Path, one: Mapping[str, Any], own: Sequence[_Entry], *, secret: bytes
) -> _Readers:
    """Write one table with the columns that its analyses take; codes of other patients and people are made new."""
    name = external_file(one["key"])
    header, rows = _read_table(source / name)
    if one["patients"] != "trial":
        for column in {"case", "item"}.intersection(header):
            codes = public_codes((row[column] for row in rows if row[column]), prefix=column, secret=secret)
            rows = [row | {column: codes.get(row[column], "")} for row in rows]
    prefix, readers = f"{one['key']}-reader", _Readers({}, {}, {})
    named = frozenset().union(*(entry.names() for entry in own))
    known = {column.name for column in SCHEMAS[one["table"]].columns}
    if one["table"] == "readings":
        known = set(PUBLIC_COLUMNS)
        named -= set(WITHHELD_COLUMNS)
        readers = _Readers.of(rows, prefix=prefix, secret=secret)
        rows = _public_rows(rows, readers)
    elif one["table"] == "segmentations":
        fixed = {row["first"] for row in rows if row.get("kind") == "reference"}
        fixed |= {name for entry in own for name in entry.told["parameters"].get("algorithms") or ()}
        people = {row[place] for row in rows for place in ("first", "second")} - fixed
        readers = _Readers(public_codes(people, prefix=prefix, secret=secret), {}, {})
        rows = _public_pairs(rows, readers)
    else:
        rows = sorted(rows, key=lambda row: row["case"])
    _write_table(folder / name, [column for column in header if column in known | named], rows)
    return readers


# ---------------------------------------------------------------- results


def _computed(entry: _Entry, folder: Path, readers: _Readers) -> IndexedResult:
    """Compute one analysis of the public tables as it was computed of the trial's, and write its files."""
    told = entry.told
    where = dict(told.get("where") or {})
    if "group" in where and where["group"] not in set(readers.groups.values()):
        raise AnalysisInputError(["It is of a group of readers, and groups of fewer than five are merged."])
    plan = AnalysisPlan(
        role=told["role"],
        confidence_level=told["confidence_level"],
        seed=told["rng_seed"],
        parameters={
            name: readers.parameter(value) for name, value in told["parameters"].items() if value is not None
        },
        analysis_set=told.get("analysis_set", ALL_SUBMITTED),
        where=where,
    )
    tables = {name: folder / file for name, file in entry.index["tables"].items()}
    result = _marked(run_analysis(told["name"], tables, plan=plan), entry)
    target = folder / "results" / entry.key
    write_result(result, target, formats=FIGURE_FORMATS)
    return IndexedResult(
        entry.key,
        _read_json(target / "results.json"),
        bool(entry.index["planned"]),
        entry.index["tables"],
        entry.data,
    )


def _marked(result: AnalysisResult, entry: _Entry) -> AnalysisResult:
    if not entry.data:
        return result
    sentence = f"Externally collected data '{entry.data}'. No reading given on this platform enters."
    return replace(result, notes=(sentence, *result.notes))


# ---------------------------------------------------------------- names, files


def _refuse_names(folder: Path, names: Collection[str]) -> None:
    """Refuse files in which a reader's name, address or code of the screens stands, or any e-mail address."""
    listed = "|".join(re.escape(name) for name in sorted(names))
    naming = re.compile(rf"(?<![\w-])(?:{listed})(?![\w-])", re.IGNORECASE) if names else None
    problems = []
    for path in sorted(one for one in folder.rglob("*") if one.suffix in _TEXT_FILES):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if _EMAIL.search(line) or (naming is not None and naming.search(line)):
                place = path.relative_to(folder).as_posix()
                problems.append(f"{place} line {number} names a reader, or holds an e-mail address.")
    if problems:
        more = (
            [f"{len(problems) - _MAX_SHOWN} more lines are not shown."] if len(problems) > _MAX_SHOWN else []
        )
        remedy = "Leave the comments out, or have the names taken out of what was written."
        raise ValidationFailedError(" ".join([*problems[:_MAX_SHOWN], *more, remedy]))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from (part.strip() for part in _MARKS.split(value))
    elif isinstance(value, list):
        for one in value:
            yield from _words(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _words(name)
            yield from _words(one)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_table(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8", newline="") as source:
        lines = ([read_cell(cell) for cell in line] for line in csv.reader(source))
        columns = next(lines, [])
        return columns, [dict(zip(columns, line, strict=True)) for line in lines]


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    cells = (columns, *([row[name] for name in columns] for row in rows))
    write_lines(path, [csv_line(map(safe_cell, line)) for line in cells])
