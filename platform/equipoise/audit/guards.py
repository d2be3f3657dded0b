"""Guards of immutable rows: declared once, installed as database triggers after every migration.

Migrations never write triggers by hand: Django's table remake on SQLite drops them silently. What a guard stops:
UPDATE (except the declared transitions), DELETE, INSERT OR REPLACE (SQLite, with ``recursive_triggers``) and
TRUNCATE (PostgreSQL). What it cannot stop: the file's owner on SQLite, or the table's owner on PostgreSQL, who may
drop the trigger; the hash chain then shows it. In production the application's role is not the owner.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

PREFIX = "eq_guard_"
ANY: Final = "*"
"""In a transition: any value."""

Value = str | int | bool | None
Transition = tuple[Value, Value]


@dataclass(frozen=True)
class Guard:
    """Rows of one table that may not be changed or deleted.

    ``allowed_transitions`` maps a column to the (old, new) pairs that stay possible, ``None`` meaning NULL and
    :data:`ANY` any value; every other column is frozen. ``frozen_once`` maps a column to another that, once it is set,
    stops the first one's transitions: both may still be set by one statement. ``where`` limits the guard to rows whose
    columns have these values *before* the statement, so that rehearsal rows (``realm``) or drafts (``state``) stay
    free. With ``deletable`` a row may go, and may not change as long as it is there.
    """

    table: str
    allowed_transitions: Mapping[str, Sequence[Transition]] = field(default_factory=dict)
    where: Mapping[str, Value | Sequence[str]] = field(default_factory=dict)
    frozen_once: Mapping[str, str] = field(default_factory=dict)
    deletable: bool = False


@dataclass(frozen=True)
class Trigger:
    """A trigger as it should stand in the database: its name and the text that identifies its content."""

    name: str
    create: tuple[str, ...]
    fingerprint: str


GUARDED: dict[str, Guard] = {}
"""Every guard of the site by table; apps above add theirs with :func:`register_guard` in ``ready``."""


def register_guard(guard: Guard) -> None:
    """Declare a guard. A table has one guard."""
    if GUARDED.get(guard.table, guard) != guard:
        raise ValueError(f"Table {guard.table} already has another guard.")
    GUARDED[guard.table] = guard


register_guard(Guard("audit_auditentry"))
register_guard(Guard("audit_auditaddress", deletable=True))


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return ("TRUE" if value else "FALSE") if connection.vendor == "postgresql" else str(int(value))
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _same(left: str, right: str) -> str:
    return (
        f"{left} IS NOT DISTINCT FROM {right}" if connection.vendor == "postgresql" else f"{left} IS {right}"
    )


def _side(side: str, column: str, value: Any) -> str | None:
    return None if value == ANY else _same(f'{side}."{column}"', _literal(value))


def _guarded_condition(guard: Guard) -> str:
    parts = []
    for column, value in guard.where.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else [value]
        parts.append("(" + " OR ".join(_same(f'OLD."{column}"', _literal(v)) for v in values) + ")")
    return " AND ".join(parts)


def _unchanged_condition(guard: Guard, columns: Sequence[str]) -> str:
    parts = []
    for column in columns:
        ways = [_same(f'NEW."{column}"', f'OLD."{column}"')]
        for old, new in guard.allowed_transitions.get(column, ()):
            sides = [side for side in (_side("OLD", column, old), _side("NEW", column, new)) if side]
            if column in guard.frozen_once:
                sides.append(_same(f'OLD."{guard.frozen_once[column]}"', _literal(None)))
            ways.append("(" + (" AND ".join(sides) or "1 = 1") + ")")
        parts.append("(" + " OR ".join(ways) + ")")
    return " AND ".join(parts)


def _columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return sorted(column.name for column in connection.introspection.get_table_description(cursor, table))


def _message(table: str, verb: str) -> str:
    return f"equipoise guard: rows of {table} cannot be {verb}"


def _sqlite_triggers(guard: Guard) -> list[Trigger]:
    table, where = guard.table, _guarded_condition(guard)
    changed = f"NOT ({_unchanged_condition(guard, _columns(table))})"
    update_when = f"{where} AND {changed}" if where else changed
    bodies = [
        ("update", f"WHEN {update_when}", "changed"),
        ("delete", f"WHEN {where}" if where else "", "deleted"),
    ]
    triggers = []
    for verb, when, done in bodies:
        if guard.deletable and verb == "delete":
            continue
        name = f"{PREFIX}{table}_{verb}"
        sql = (
            f'CREATE TRIGGER "{name}" BEFORE {verb.upper()} ON "{table}" FOR EACH ROW {when} '
            f"BEGIN SELECT RAISE(ABORT, '{_message(table, done)}'); END"
        )
        triggers.append(Trigger(name=name, create=(sql,), fingerprint=sql))
    return triggers


def _postgresql_triggers(guard: Guard) -> list[Trigger]:
    table, where = guard.table, _guarded_condition(guard) or "TRUE"
    unchanged = _unchanged_condition(guard, _columns(table))
    error = "USING ERRCODE = 'integrity_constraint_violation'"
    bodies = {
        "update": f"BEGIN IF ({where}) AND NOT ({unchanged}) THEN "
        f"RAISE EXCEPTION '{_message(table, 'changed')}' {error}; END IF; RETURN NEW; END",
        "delete": f"BEGIN IF ({where}) THEN "
        f"RAISE EXCEPTION '{_message(table, 'deleted')}' {error}; END IF; RETURN OLD; END",
        "truncate": f"BEGIN RAISE EXCEPTION '{_message(table, 'truncated')}' {error}; END",
    }
    triggers = []
    for verb, body in bodies.items():
        if guard.deletable and verb == "delete":
            continue
        name = f"{PREFIX}{table}_{verb}"
        level = "STATEMENT" if verb == "truncate" else "ROW"
        triggers.append(
            Trigger(
                name=name,
                create=(
                    f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $guard${body}$guard$',
                    (
                        f'CREATE TRIGGER "{name}" BEFORE {verb.upper()} ON "{table}" FOR EACH {level} '
                        f'EXECUTE FUNCTION "{name}"()'
                    ),
                ),
                fingerprint=body,
            )
        )
    return triggers


def declared_triggers() -> dict[str, Trigger]:
    """Return the triggers that the declared guards of the existing tables ask for, by name."""
    existing = set(connection.introspection.table_names())
    build = _postgresql_triggers if connection.vendor == "postgresql" else _sqlite_triggers
    triggers = [t for guard in GUARDED.values() if guard.table in existing for t in build(guard)]
    return {trigger.name: trigger for trigger in triggers}


def installed_triggers() -> dict[str, tuple[str, str]]:
    """Return the guards that stand in the database: name -> (table, fingerprint). Disabled ones do not count."""
    if connection.vendor == "postgresql":
        sql = (
            "SELECT t.tgname, c.relname, p.prosrc FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND n.nspname = current_schema() "
            "AND starts_with(t.tgname, %s)"
        )
    else:
        sql = (
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 9) = %s"
        )
    with connection.cursor() as cursor:
        cursor.execute(sql, [PREFIX])
        return {name: (table, text) for name, table, text in cursor.fetchall()}


def guards_differences() -> list[str]:
    """Return one sentence per guard that is missing, altered or unknown; none if all is as declared."""
    declared, installed = declared_triggers(), installed_triggers()
    sentences = [f"Guard {name} is not installed." for name in sorted(declared.keys() - installed.keys())]
    sentences += [
        f"Guard {name} is installed but not declared." for name in sorted(installed.keys() - declared.keys())
    ]
    sentences += [
        f"Guard {name} differs from its declaration."
        for name in sorted(declared.keys() & installed.keys())
        if installed[name][1] != declared[name].fingerprint
    ]
    return sentences


def application_grants(role: str) -> list[str]:
    """Return PostgreSQL's statements that let a role use the site without owning it.

    The owner migrates; web and worker sign in as this role. It can neither truncate a table nor disable a trigger,
    and on tables whose rows never change it may only read and add (and delete, where rows may go).
    """
    name = connection.ops.quote_name(role)
    frozen = {
        g.table: "UPDATE" if g.deletable else "UPDATE, DELETE"
        for g in GUARDED.values()
        if not g.allowed_transitions and not g.where
    }
    existing = set(connection.introspection.table_names())
    statements = [
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
        f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {name}",
    ]
    return statements + [
        f'REVOKE {rights} ON "{table}" FROM {name}'
        for table, rights in sorted(frozen.items())
        if table in existing
    ]


def guards_remove() -> None:
    """Drop every guard. Only the test suite's flush and :func:`guards_install` do this."""
    with connection.cursor() as cursor:
        for name, (table, _) in installed_triggers().items():
            suffix = f' ON "{table}"' if connection.vendor == "postgresql" else ""
            cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"{suffix}')
            if connection.vendor == "postgresql":
                cursor.execute(f'DROP FUNCTION IF EXISTS "{name}"()')


def guards_install() -> None:
    """Make the database's guards equal to the declared ones."""
    if not guards_differences():
        return
    guards_remove()
    with connection.cursor() as cursor:
        for trigger in declared_triggers().values():
            for statement in trigger.create:
                cursor.execute(statement)


def install_after_migrate(**_: Any) -> None:
    """Serve ``post_migrate``."""
    guards_install()


@contextmanager
def guards_lifted() -> Iterator[None]:
    """Lift the guards for a while (tests that flush their database)."""
    guards_remove()
    try:
        yield
    finally:
        guards_install()
