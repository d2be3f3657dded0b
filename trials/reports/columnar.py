"""The readings as Parquet, written row group by row group: a million rows never stand in memory at once."""

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from equipoise.analysis.schemas import READINGS
from trials.domain.protocol.questions import QuestionKind
from trials.models import Trial
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.tables import readings_columns, told_rows

ROWS_PER_GROUP = 20_000
"""Rows that stand in memory together."""
UNITS = ("_s", "_ml", "_mm", "_years")
"""A column of ours whose name ends in a unit holds numbers; a question may be called as it likes."""


class _Sink(io.RawIOBase):
    """Takes what a writer writes, and gives it away."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self._blocks.append(bytes(block))
        self._position += len(self._blocks[-1])
        return len(self._blocks[-1])

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def readings_parquet(trial: Trial, rows: Iterable[Mapping[str, Any]] | None = None) -> Iterator[bytes]:
    """Yield ``readings.parquet`` block by block: the rows of ``readings.csv``, sources empty until unblinding.

    Columns with a unit, scores, decisions and counts are numbers, everything else is text; what is empty is null.
    """
    told = told_rows(trial) if rows is None else rows
    yield from parquet_blocks(readings_columns(trial), _numeric(trial), told)


def parquet_blocks(
    columns: Sequence[str], numeric: frozenset[str], rows: Iterable[Mapping[str, Any]]
) -> Iterator[bytes]:
    """Yield a Parquet file of the rows, in groups of :data:`ROWS_PER_GROUP`."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float64() if name in numeric else pa.string()) for name in columns])
    sink, remaining = _Sink(), iter(rows)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(itertools.islice(remaining, ROWS_PER_GROUP)):
            arrays = [
                pa.array(
                    [_value(row[name], is_number=name in numeric) for row in group],
                    type=schema.field(name).type,
                )
                for name in columns
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


def _value(value: Any, *, is_number: bool) -> Any:
    if value is None or value == "":
        return None
    if is_number:
        return float(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _numeric(trial: Trial) -> frozenset[str]:
    known = {column.name for column in READINGS.columns if column.kind != "text"}
    protocol = protocol_of_version(protocol_locked(trial))
    asked = protocol.task.form_questions if protocol.task is not None else ()
    numbers = {one.key for one in asked if one.kind in (QuestionKind.INTEGER, QuestionKind.NUMBER)}
    questions = {one.key for one in asked}
    measured = {name for name in readings_columns(trial) if name.endswith(UNITS)}
    return frozenset((known | measured) - questions | numbers)
