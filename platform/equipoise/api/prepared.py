"""Statements whose SQL is written once in a process.

Django writes the SQL of a query anew each time it runs, which takes several times as long as PostgreSQL needs to answer
it. What every call of a reading sends is written once, with parameters in the place of its values. It does what the
same query set would do: the same statement, the same locks, the same models.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import ROW_COUNT

Row = TypeVar("Row")


class Parameter(Expression):
    """A value that is given when a prepared statement runs; the named field says how it is stored."""

    def __init__(self, name: str, model: type[Model], field: str = "") -> None:
        super().__init__(output_field=cast("Field[Any, Any]", model._meta.get_field(field or name)))
        self.name = name

    def as_sql(self, *_: Any, **__: Any) -> Any:
        """Stand among the statement's values, to be replaced there."""
        return "%s", [self]

    def value_in(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """Return the value as the database takes it."""
        return self.output_field.get_db_prep_save(values[self.name], connection)


class _Statement:
    """SQL with parameters, and the compiler that wrote it."""

    def __init__(self, compiler: SQLCompiler) -> None:
        self.compiler, self.database = compiler, compiler.using or DEFAULT_DB_ALIAS
        self.sql: str
        self.values: Sequence[Any]
        self.sql, self.values = compiler.as_sql()

    def bound(self, values: Mapping[str, Any]) -> SQLCompiler:
        """Return a compiler of this thread's connection that has written the statement, with these values."""
        compiler = copy.copy(self.compiler)
        connection = compiler.connection = connections[self.database]
        parameters = [
            value.value_in(values, connection) if isinstance(value, Parameter) else value
            for value in self.values
        ]
        compiler.as_sql = lambda *_, **__: (self.sql, parameters)  # type: ignore[assignment,method-assign] # it is written
        return compiler


class PreparedQuery(Generic[Row]):
    """A query set with :class:`Parameter` objects in the place of values.

    ``build`` returns it whole, ordered and sliced, and is called once for each kind of database. Related objects come
    with it by ``select_related`` alone.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, Row]"]) -> None:
        self._build = build
        self._written: dict[str, tuple[_Statement, QuerySet[Any, Row]]] = {}

    def rows(self, **values: Any) -> list[Row]:
        """Run it with these values."""
        if None in values.values():
            raise ValueError("Nothing is equal to None in a database: build the query with __isnull instead.")
        statement, queryset = self._statement()
        compiler = statement.bound(values)
        connection = compiler.connection
        if queryset.query.select_for_update and connection.features.has_select_for_update:
            _require_transaction(connection)
        run = queryset.all()
        run.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign] # of this copy alone
        return cast(list[Row], list(run))

    def first(self, **values: Any) -> Row | None:
        """Run it and return its first row."""
        return next(iter(self.rows(**values)), None)

    def _statement(self) -> "tuple[_Statement, QuerySet[Any, Row]]":
        queryset: QuerySet[Any, Row]
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        if vendor not in self._written:
            queryset = self._build()
            compiler = queryset.query.get_compiler(using=queryset.db)
            self._written[vendor] = _Statement(compiler), queryset
        return self._written[vendor]


class PreparedUpdate:
    """An update of the rows of a query set; both have :class:`Parameter` objects in the place of values."""

    def __init__(self, build: Callable[[], "tuple[QuerySet[Any, Any], dict[str, Any]]"]) -> None:
        self._build = build
        self._written: dict[str, _Statement] = {}

    def run(self, **values: Any) -> int:
        """Run it with these values and return how many rows it changed."""
        statement = self._statement()
        compiler: Any = statement.bound(values)
        with transaction.mark_for_rollback_on_error(using=statement.database):
            return int(compiler.execute_sql(ROW_COUNT))

    def _statement(self) -> _Statement:
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        if vendor not in self._written:
            queryset, changes = self._build()
            query: Any = queryset.query.chain(UpdateQuery)
            query.add_update_values(changes)
            self._written[vendor] = _Statement(query.get_compiler(using=queryset.db))
        return self._written[vendor]


def _require_transaction(connection: BaseDatabaseWrapper) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Rows are held to the end of a transaction: begin one.")
