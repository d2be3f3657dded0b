"""What a bundle says of its trial, read as input from outside: every fault a sentence naming file and field or row.

The folder is one that :func:`trials.domain.bundle.bundle_bring` has filled. Needs no server.
"""

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import ALL_SUBMITTED, ANALYSIS_SETS, ROLES, AnalysisPlan
from equipoise.analysis.registry import ANALYSIS_NAMES
from equipoise.analysis.run import analysed_data_sha256
from equipoise.analysis.schemas import SCHEMAS
from equipoise.analysis.tables import Table, read_table
from equipoise.common.errors import ValidationFailedError
from trials.domain.bundle import BUNDLE_SCHEMA, MANIFEST, bundle_problems, is_public, manifest_sha256
from trials.domain.planned import result_key
from trials.domain.protocol.document import check_document, protocol_sha256
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import ANSWERED_STATES, TrialState
from trials.domain.storable import MAX_DEPTH, storable_text

TABLES = {
    "readings": "readings.csv",
    "truth": "truth.csv",
    "segmentations": "segmentations.csv",
}
"""The tidy tables that analyses take, by the names they take them under."""
EXTERNAL_INDEX = "external/index.json"
"""Which tables were collected elsewhere, and where they came from."""
SERVED_TABLES = (
    "readings.csv",
    "participants.csv",
    "environments.csv",
    "allocation.csv",
    "reference-standard.csv",
    "labels.csv",
    "segmentations.csv",
)
"""The tables that exports of an imported trial are made from."""
FIGURE_FILES = ("svg", "png", "pdf", "csv")

SLUG = r"[a-z0-9][a-z0-9-]{1,58}[a-z0-9]"
"""A trial's short name."""
MAX_JSON_BYTES = 256 * 1024 * 1024
MAX_TABLE_BYTES = 1024 * 1024 * 1024
MAX_COLUMNS = 16_384
"""What a sheet of a workbook can hold."""
MAX_PARTS = 20
"""How many columns may part the readings together."""
MAX_SHOWN = 20
"""How many faults are named; the rest are counted."""
FIRST_YEAR, LAST_YEAR = 1900, 2200
_SHA256 = r"^[0-9a-f]{64}$"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION_FILE = re.compile(r"version-([1-9][0-9]{0,3})\.json")


class BundleRefusedError(ValidationFailedError):
    """The bundle cannot be taken for one: ``problems`` has a sentence per fault."""

    def __init__(self, problems: Iterable[str]) -> None:
        told = list(problems)
        if len(told) > MAX_SHOWN:
            told = [*told[:MAX_SHOWN], f"{len(told) - MAX_SHOWN} more faults are not shown."]
        self.problems = tuple(told)
        entries = [{"code": "invalid", "message": one} for one in told]
        super().__init__(" ".join(told), data={"fields": {"": entries}})


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


def external_file(key: str) -> str:
    """Return the file of the external data of a key."""
    return f"external/{key}.csv"


def plausible_moment(moment: datetime) -> datetime:
    """Return the moment; one that no trial can have had, or that lies in no time zone, is refused.

    Raises
    ------
    ValueError
        Saying so.
    """
    if moment.tzinfo is None or not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise ValueError(f"it is no moment with a time zone from {FIRST_YEAR} until {LAST_YEAR}")
    return moment


_Moment = Annotated[AwareDatetime, AfterValidator(plausible_moment)]


class TrialFile(_Shape):
    """``trial.json``."""

    layout: Literal["equipoise-bundle/1"] = Field(alias="schema")
    id: UUID
    slug: str = Field(pattern=rf"^{SLUG}$")
    title: str = Field(min_length=1, max_length=200)
    state: Literal[TrialState.UNBLINDED, TrialState.ARCHIVED]
    created_at: _Moment
    opened_at: _Moment | None = None
    closed_at: _Moment | None = None
    data_locked_at: _Moment | None = None
    unblinded_at: _Moment | None = None
    data_sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    bundled_at: _Moment | None = None
    equipoise: str = Field(max_length=60)


class ProtocolFile(_Shape):
    """``protocol/version-N.json``."""

    version: int = Field(ge=1, le=9999)
    sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    locked_at: _Moment | None
    reason: str = Field(max_length=20_000)
    document: dict[str, Any]


class _Interval(_Shape):
    low: float
    high: float


class _Number(_Shape):
    quantity: str
    label: str
    subject: dict[str, str]
    value: float | None
    interval: _Interval | None
    df: float | list[float | None] | None
    standard_error: float | None
    statistic: float | None
    pvalue: float | None
    n: int | None


class _Table(_Shape):
    columns: list[str]
    rows: list[list[Any]]


class _Figure(_Shape):
    title: str
    caption: str


class ExternalFile(_Shape):
    """An entry of ``external/index.json``."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    table: Literal["readings", "segmentations", "survival"]
    version: int = Field(ge=1)
    patients: Literal["trial", "other"]
    columns: dict[str, str]
    file_name: str = Field(max_length=200)
    file_sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    rows: int = Field(ge=0)
    imported_at: _Moment


class _ExternalIndex(_Shape):
    tables: list[ExternalFile]


_Name = Annotated[str, Field(pattern=rf"^{_FILE_NAME.pattern}$")]


class ResultFile(_Shape):
    """``results/<analysis>/results.json``; of an exploratory run beside the planned one the folder says so."""

    name: Literal[ANALYSIS_NAMES]  # type: ignore[valid-type]  # the names are one tuple of texts
    title: str
    method: str
    role: Literal[ROLES]  # type: ignore[valid-type]  # likewise
    data_sha256: str = Field(pattern=_SHA256)
    confidence_level: float = Field(gt=0, lt=1)
    rng_seed: int
    analysis_set: Literal[ANALYSIS_SETS] = ALL_SUBMITTED  # type: ignore[valid-type]  # likewise
    where: dict[str, str] = Field(default_factory=dict, max_length=MAX_PARTS)
    parameters: dict[str, Any]
    findings: list[str]
    notes: list[str]
    numbers: list[_Number]
    tables: dict[_Name, _Table]
    figures: dict[_Name, _Figure]


class _ResultEntry(_Shape):
    name: str
    planned: bool
    results: str
    data: str = ""
    tables: dict[str, str]
    numbers: list[dict[str, Any]]


class _ResultsIndex(_Shape):
    layout: Literal["equipoise-bundle/1"] = Field(alias="schema")
    analyses: list[_ResultEntry]
    not_computed: dict[str, str]


@dataclass(frozen=True)
class BundledProtocol:
    """One version of the protocol."""

    file: ProtocolFile
    text: str
    protocol: ProtocolV1 | None


@dataclass(frozen=True)
class BundledResult:
    """One analysis: what its ``results.json`` says, and the names of its files below its folder."""

    told: Mapping[str, Any]
    planned: bool
    folder: Path
    files: tuple[str, ...]
    data: str = ""
    """The key of the external data it was computed from."""


@dataclass(frozen=True)
class BundledExternal:
    """A table that was collected elsewhere."""

    file: ExternalFile
    table: Table


@dataclass(frozen=True)
class BundleContents:
    """A bundle that was found to be whole and sound."""

    folder: Path
    manifest_sha256: str
    file_count: int
    trial: TrialFile
    protocols: tuple[BundledProtocol, ...]
    results: tuple[BundledResult, ...]
    external: tuple[BundledExternal, ...]
    not_computed: Mapping[str, str]
    counts: Mapping[str, int]


Model = TypeVar("Model", bound=BaseModel)


def bundle_read(folder: Path) -> BundleContents:
    """Check the manifest first, then every file that is read into rows.

    Raises
    ------
    BundleRefusedError
        With everything that is wrong.
    """
    try:
        if is_public(folder):
            raise BundleRefusedError(
                [
                    "This is the public form of a bundle: it has no audit trail. A trial comes back from its bundle."
                ]
            )
        problems = bundle_problems(folder)
    except BundleRefusedError:
        raise
    except ValueError:
        raise BundleRefusedError([f"There is no {MANIFEST} of the layout {BUNDLE_SCHEMA} in it."]) from None
    if problems:
        raise BundleRefusedError(problems)
    trial = _model(folder, "trial.json", TrialFile)
    protocols = _protocols(folder)
    _tables(folder)
    external = _external(folder)
    counts = _counts(folder)
    index = _model(folder, "results.json", _ResultsIndex)
    results = tuple(_result(folder, entry, external) for entry in index.analyses)
    names = [one.folder.name for one in results]
    if len(names) != len(set(names)):
        raise BundleRefusedError(["results.json: /analyses names one analysis twice."])
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    return BundleContents(
        folder,
        manifest_sha256(folder),
        files,
        trial,
        protocols,
        results,
        external,
        index.not_computed,
        counts,
    )


def read_json(folder: Path, name: str) -> Any:
    """Return a JSON document of the folder; what no database could hold is refused."""
    path = folder / name
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise BundleRefusedError([f"{name} has more than {MAX_JSON_BYTES} bytes."])
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        _require_storable(document)
    except FileNotFoundError:
        raise BundleRefusedError([f"{name} is missing."]) from None
    except RecursionError:
        raise BundleRefusedError([f"{name}: objects and lists are nested too deep."]) from None
    except ValueError as error:
        raise BundleRefusedError([f"{name}: this is not JSON as a bundle holds it: {error}"]) from None
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that JSON knows")


def _require_storable(value: Any, place: tuple[str | int, ...] = ()) -> None:
    if len(place) > MAX_DEPTH:
        raise ValueError(f"objects and lists are nested more than {MAX_DEPTH} deep")
    at = f"/{'/'.join(map(str, place))}: " if place else ""
    if isinstance(value, str) and storable_text(value) != value:
        raise ValueError(f"{at}a text holds a character that cannot be stored")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{at}a number is too large")
    if isinstance(value, dict):
        for key, one in value.items():
            _require_storable(key, place)
            _require_storable(one, (*place, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            _require_storable(one, (*place, number))


def _model(folder: Path, name: str, model: type[Model]) -> Model:
    return _checked(name, read_json(folder, name), model)


def _checked(name: str, document: Any, model: type[Model]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise BundleRefusedError(
            f"{name}: /{'/'.join(map(str, one['loc']))}: {one['msg']}."
            for one in error.errors(include_url=False, include_input=False)
        ) from None


def _protocols(folder: Path) -> tuple[BundledProtocol, ...]:
    found = sorted(
        (int(match[1]), path.name)
        for path in (folder / "protocol").glob("*.json")
        if (match := _VERSION_FILE.fullmatch(path.name))
    )
    versions = tuple(_protocol(folder, number) for number, _ in found)
    if not any(one.file.locked_at is not None for one in versions):
        raise BundleRefusedError(["protocol/ holds no version that was locked."])
    return versions


def _protocol(folder: Path, number: int) -> BundledProtocol:
    name = f"protocol/version-{number}.json"
    file = _model(folder, name, ProtocolFile)
    if file.version != number:
        raise BundleRefusedError([f"{name}: /version: it is {file.version}."])
    text = folder / "protocol" / f"version-{number}.yaml"
    try:
        if text.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        words = text.read_text(encoding="utf-8")
        _require_storable(words)
    except (OSError, ValueError) as error:
        raise BundleRefusedError([f"protocol/{text.name} cannot be read: {error}"]) from None
    outcome = check_document(file.document)
    if file.locked_at is not None:
        if outcome.protocol is None:
            raise BundleRefusedError(
                f"{name}: /document{one.pointer}: {one.message}" for one in outcome.problems
            )
        if protocol_sha256(file.document) != file.sha256:
            raise BundleRefusedError([f"{name}: /sha256 is not the hash of /document."])
    return BundledProtocol(file, words, outcome.protocol)


def _tables(folder: Path) -> None:
    """Read every tidy table once, so that a wrong cell is named by file, row and column."""
    problems: list[str] = []
    for name, file in TABLES.items():
        path = folder / file
        if not path.is_file():
            continue
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise BundleRefusedError([f"{file} has more than {MAX_TABLE_BYTES} bytes."])
        if name == "readings" and _is_header_alone(
            path
        ):  # nobody read: what was analysed came from elsewhere
            continue
        try:
            read_table(path, SCHEMAS[name])
        except AnalysisInputError as error:
            problems += error.problems
        except (csv.Error, ValueError) as error:
            problems.append(f"{file}: {error}")
    for file in SERVED_TABLES:
        if (folder / file).is_file():
            problems += _csv_problems(folder, file)
    if not (folder / TABLES["readings"]).is_file():
        problems.append(f"{TABLES['readings']} is missing.")
    if problems:
        raise BundleRefusedError(problems)


def _is_header_alone(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as source:
        return bool(source.readline().strip()) and source.readline() == ""


def _external(folder: Path) -> tuple[BundledExternal, ...]:
    """Read the tables that were collected elsewhere; older bundles hold none."""
    if not (folder / EXTERNAL_INDEX).is_file():
        return ()
    index = _checked(EXTERNAL_INDEX, {"tables": read_json(folder, EXTERNAL_INDEX)}, _ExternalIndex)
    read, problems = [], []
    for one in index.tables:
        name = external_file(one.key)
        try:
            if (folder / name).stat().st_size > MAX_TABLE_BYTES:
                raise ValueError(f"it has more than {MAX_TABLE_BYTES} bytes")
            table = read_table(folder / name, SCHEMAS[one.table])
        except AnalysisInputError as error:
            problems += [f"external/{problem}" for problem in error.problems]
            continue
        except (OSError, csv.Error, ValueError) as error:
            problems.append(f"{name}: {error}")
            continue
        if table.n_rows != one.rows:
            problems.append(f"{EXTERNAL_INDEX}: {one.key} has {one.rows} rows, its file {table.n_rows}.")
        read.append(BundledExternal(one, table))
    if len(read) != len({one.file.key for one in read}):
        problems.append(f"{EXTERNAL_INDEX} names the data of one key twice.")
    if problems:
        raise BundleRefusedError(problems)
    return tuple(read)


def _csv_problems(folder: Path, name: str) -> list[str]:
    """Read a CSV file once, as it will be read to be served."""
    try:
        with (folder / name).open(encoding="utf-8", newline="") as source:
            widest = max((len(cells) for cells in csv.reader(source)), default=0)
    except (csv.Error, ValueError) as error:
        return [f"{name}: this is no CSV file: {error}"]
    return [f"{name} has more than {MAX_COLUMNS} columns."] if widest > MAX_COLUMNS else []


def _counts(folder: Path) -> dict[str, int]:
    """Count what the tables hold. Rows of algorithms are results, not readings."""
    needed = {"participant", "participant_kind", "case", "item", "state"}
    cases, items, participants = set(), set(), set()
    total = submitted = 0
    with (folder / TABLES["readings"]).open(encoding="utf-8", newline="") as source:
        rows = csv.DictReader(source)
        missing = sorted(needed - set(rows.fieldnames or ()))
        if missing:
            raise BundleRefusedError([f"readings.csv: there is no column {', '.join(missing)}."])
        for row in rows:
            cases.add(row["case"])
            items.add(row["item"])
            participants.add(row["participant"])
            if row["participant_kind"] == "reader":
                total += 1
                submitted += row["state"] in ANSWERED_STATES
    return {
        "cases": len(cases - {""}),
        "items": len(items - {""}),
        "participants": len(participants),
        "readings_submitted": submitted,
        "readings_total": total,
    }


def _result(folder: Path, entry: _ResultEntry, external: Iterable[BundledExternal]) -> BundledResult:
    """Return one analysis whose numbers are those of the index, and which was computed from the bundle's tables."""
    # Beside a planned run there may be an exploratory one, and beside one of the per-protocol set one of the full set.
    own, key = result_key(entry.name, entry.data), PurePosixPath(entry.results).parent.name
    name = f"results/{key}/results.json"
    keys = (
        own,
        result_key(entry.name, entry.data, full_set=entry.planned, beside_the_plan=not entry.planned),
    )
    if entry.data and entry.data not in {one.file.key for one in external}:
        raise BundleRefusedError([f"{EXTERNAL_INDEX} does not name the data {entry.data!r} of results.json."])
    of_part = not entry.planned and re.fullmatch(rf"{re.escape(own)}-part-[1-9][0-9]{{0,3}}", key) is not None
    if entry.name not in ANALYSIS_NAMES or not (of_part or key in keys) or entry.results != name:
        raise BundleRefusedError(
            [f"results.json: there is no analysis {entry.name!r} with its file at {name}."]
        )
    told = read_json(folder, name)
    file = _checked(name, told, ResultFile)
    problems = []
    if file.name != entry.name:
        problems.append(f"{name}: /name is {file.name}.")
    if of_part != bool(file.where):
        problems.append(
            f"{name}: /where: a folder called NAME-part-N is of a part of the readings, and no other is."
        )
    if told["numbers"] != entry.numbers:
        problems.append(f"{name}: /numbers are not those of results.json.")
    for table, content in file.tables.items():
        if any(len(row) != len(content.columns) for row in content.rows):
            problems.append(
                f"{name}: /tables/{table}/rows: a row has not as many cells as there are columns."
            )
    files = ["results.json", *(f"tables/{one}.csv" for one in file.tables)]
    files += [f"figures/{one}.{suffix}" for one in file.figures for suffix in FIGURE_FILES]
    problems += [
        f"results/{key}/{one} is missing." for one in files if not (folder / "results" / key / one).is_file()
    ]
    for one in files:
        if one.endswith(".csv") and (folder / "results" / key / one).is_file():
            problems += _csv_problems(folder, f"results/{key}/{one}")
    known = TABLES | {
        one.file.table: external_file(one.file.key) for one in external if one.file.key == entry.data
    }
    if any(known.get(table) != path for table, path in entry.tables.items()):
        problems.append(f"results.json: /analyses/{key}/tables names other files than the tidy tables.")
    if problems:
        raise BundleRefusedError(problems)
    parameters = {key: value for key, value in file.parameters.items() if value is not None}
    plan = AnalysisPlan(
        file.role,
        file.confidence_level,
        file.rng_seed,
        parameters,
        analysis_set=file.analysis_set,
        where=file.where,
    )
    tables = {table: folder / path for table, path in entry.tables.items()}
    try:
        digest = analysed_data_sha256(entry.name, tables, plan=plan)
    except (AnalysisInputError, ValueError) as error:
        raise BundleRefusedError([f"{name}: its tables and parameters do not fit: {error}"]) from None
    if digest != file.data_sha256:
        raise BundleRefusedError([f"{name}: /data_sha256 is not the hash of the tables in the bundle."])
    return BundledResult(told, entry.planned, folder / "results" / key, tuple(files), entry.data)


def bundle_date(contents: BundleContents, last_entry_at: datetime | None) -> datetime | None:
    """Return when the bundle was made; older ones say it by the last entry of their trail."""
    return contents.trial.bundled_at or last_entry_at
