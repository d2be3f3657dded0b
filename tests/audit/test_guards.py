"""Guards: direct SQL as the application's user cannot change, delete, replace or truncate guarded rows."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from equipoise.audit import guards
from equipoise.audit.guards import ANY, Guard, declared_triggers, guards_differences, installed_triggers
from equipoise.audit.models import AuditEntry
from tests.audit.test_chain import append

pytestmark = [pytest.mark.django_db, pytest.mark.db]

ON_POSTGRESQL = "only PostgreSQL has TRUNCATE"
ON_SQLITE = "only SQLite has INSERT OR REPLACE"


def execute(sql, parameters=()):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@pytest.fixture
def diary():
    """A table with a guard of every kind: a state that may move on, a mark set once, rehearsal rows left free."""

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE guard_tests_diary (id integer PRIMARY KEY, realm varchar(10) NOT NULL, "
            "state varchar(10) NOT NULL, mark varchar(10) NULL, text varchar(10) NOT NULL)"
        )
    guard = Guard(
        "guard_tests_diary",
        allowed_transitions={"state": [("planned", "open"), ("open", "submitted")], "mark": [(None, ANY)]},
        where={"realm": "live"},
    )
    guards.register_guard(guard)
    guards.guards_install()
    rows = [(1, "live", "planned", None, "a"), (2, "rehearsal", "planned", None, "b")]
    for row in rows:
        execute("INSERT INTO guard_tests_diary VALUES (%s, %s, %s, %s, %s)", row)
    yield "guard_tests_diary"
    guards.GUARDED.pop("guard_tests_diary")
    guards.guards_install()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE guard_tests_diary")


def diary_rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, realm, state, mark, text FROM guard_tests_diary ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_auditentry SET subject = 'trial:2'",
        "UPDATE audit_auditentry SET after = NULL, hash = 'x'",
        "DELETE FROM audit_auditentry",
    ],
)
def test_direct_sql_cannot_change_or_delete_an_audit_entry(sql):
    entry = append(after={"title": "A"})

    with pytest.raises(DatabaseError, match=r"equipoise guard: rows of audit_auditentry cannot be"):
        execute(sql)

    stored = AuditEntry.objects.get()
    assert (stored.subject, stored.after, stored.hash) == ("trial:1", {"title": "A"}, entry.hash)


def test_orm_cannot_change_or_delete_an_audit_entry():
    entry = append()
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        AuditEntry.objects.update(subject="trial:2")
    with pytest.raises(DatabaseError, match="cannot be deleted"), transaction.atomic():
        entry.delete()
    assert AuditEntry.objects.get().subject == "trial:1"


def test_insert_or_replace_cannot_overwrite_an_audit_entry():
    if connection.vendor != "sqlite":
        pytest.skip(ON_SQLITE)
    append()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers")
        assert cursor.fetchone() == (1,)
    columns = ", ".join(f'"{f.column}"' for f in AuditEntry._meta.concrete_fields)
    chosen = columns.replace('"subject"', "'trial:2'")

    with pytest.raises(DatabaseError, match="cannot be deleted"):
        execute(f"INSERT OR REPLACE INTO audit_auditentry ({columns}) SELECT {chosen} FROM audit_auditentry")

    assert AuditEntry.objects.get().subject == "trial:1"


def test_truncate_cannot_empty_a_guarded_table():
    if connection.vendor != "postgresql":
        pytest.skip(ON_POSTGRESQL)
    append()
    with pytest.raises(DatabaseError, match="cannot be truncated"):
        execute("TRUNCATE audit_auditentry CASCADE")
    assert AuditEntry.objects.count() == 1


def test_declared_transitions_pass_and_all_else_is_refused(diary):
    execute("UPDATE guard_tests_diary SET state = 'open' WHERE id = 1")
    execute("UPDATE guard_tests_diary SET mark = 'seen' WHERE id = 1")
    for sql in (
        "UPDATE guard_tests_diary SET state = 'planned' WHERE id = 1",
        "UPDATE guard_tests_diary SET mark = 'again' WHERE id = 1",
        "UPDATE guard_tests_diary SET mark = NULL WHERE id = 1",
        "UPDATE guard_tests_diary SET state = 'submitted', text = 'z' WHERE id = 1",
        "UPDATE guard_tests_diary SET realm = 'rehearsal' WHERE id = 1",
        "DELETE FROM guard_tests_diary WHERE id = 1",
    ):
        with pytest.raises(DatabaseError, match="equipoise guard"):
            execute(sql)
    assert diary_rows()[0] == (1, "live", "open", "seen", "a")


def test_a_column_frozen_once_another_is_set_is_set_with_it_or_never(diary):
    guards.GUARDED.pop("guard_tests_diary")
    guards.register_guard(
        Guard(
            "guard_tests_diary",
            allowed_transitions={"mark": [(None, ANY)], "note": [(None, ANY)]},
            where={"realm": "live"},
            frozen_once={"note": "mark"},
        )
    )
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE guard_tests_diary ADD COLUMN note varchar(10) NULL")
    guards.guards_install()
    execute("INSERT INTO guard_tests_diary VALUES (3, 'live', 'open', NULL, 'c', NULL)")
    execute("UPDATE guard_tests_diary SET mark = 'seen' WHERE id = 1")
    with pytest.raises(DatabaseError, match="cannot be changed"):
        execute("UPDATE guard_tests_diary SET note = 'late' WHERE id = 1")
    execute("UPDATE guard_tests_diary SET mark = 'seen', note = 'with it' WHERE id = 3")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, mark, note FROM guard_tests_diary WHERE realm = 'live' ORDER BY id")
        assert cursor.fetchall() == [(1, "seen", None), (3, "seen", "with it")]


def test_rows_outside_the_guard_may_be_changed_and_deleted(diary):
    execute("UPDATE guard_tests_diary SET text = 'z' WHERE id = 2")
    assert diary_rows()[1] == (2, "rehearsal", "planned", None, "z")
    execute("DELETE FROM guard_tests_diary WHERE id = 2")
    assert [row[0] for row in diary_rows()] == [1]


def test_installed_guards_are_the_declared_ones_after_migration():
    assert guards_differences() == []
    expected = {"eq_guard_audit_auditentry_update", "eq_guard_audit_auditentry_delete"}
    assert expected <= set(installed_triggers())
    assert set(installed_triggers()) == set(declared_triggers())


def test_dropped_guard_is_reported_and_the_next_migrate_restores_it():
    name, table = "eq_guard_audit_auditentry_delete", "audit_auditentry"
    suffix = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    execute(f'DROP TRIGGER "{name}"{suffix}')
    assert guards_differences() == [f"Guard {name} is not installed."]

    call_command("migrate", verbosity=0)

    assert guards_differences() == []


def test_altered_guard_is_reported(monkeypatch):
    monkeypatch.setitem(
        guards.GUARDED, "audit_auditentry", Guard("audit_auditentry", where={"chain": "site"})
    )
    assert "Guard eq_guard_audit_auditentry_update differs from its declaration." in guards_differences()


def test_disabled_guard_is_reported():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL can disable a trigger")
    execute("ALTER TABLE audit_auditentry DISABLE TRIGGER eq_guard_audit_auditentry_delete")
    assert guards_differences() == ["Guard eq_guard_audit_auditentry_delete is not installed."]


def test_start_up_check_lists_differences():
    from equipoise.audit.checks import guards_check

    assert guards_check(databases=["default"]) == []
    guards.guards_remove()
    found = guards_check(databases=["default"])
    assert "Guard eq_guard_audit_auditentry_update is not installed." in [warning.msg for warning in found]


def test_table_has_one_guard():
    with pytest.raises(ValueError, match="already has another guard"):
        guards.register_guard(Guard("audit_auditentry", where={"chain": "site"}))


def test_application_role_cannot_touch_the_trail_even_without_its_triggers():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has roles")
    append()
    execute("CREATE ROLE guard_tests_application")
    execute("GRANT guard_tests_application TO CURRENT_USER")
    for statement in guards.application_grants("guard_tests_application"):
        execute(statement)
    guards.guards_remove()
    execute("SET LOCAL ROLE guard_tests_application")
    for sql in (
        "UPDATE audit_auditentry SET subject = 'trial:2'",
        "DELETE FROM audit_auditentry",
        "TRUNCATE audit_auditentry CASCADE",
        "ALTER TABLE audit_auditentry DISABLE TRIGGER ALL",
        "DELETE FROM django_migrations",
    ):
        with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
            execute(sql)
    append()
    assert AuditEntry.objects.count() == 2
