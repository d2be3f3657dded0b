"""What connections to PostgreSQL ask of the network, the client and the server, by kind of process."""

import socket
import threading
import time

import pytest
from django.db import OperationalError, connection, connections

from equipoise.config import env
from equipoise.config.postgresql import base


@pytest.fixture
def limits(monkeypatch):
    """Let a test set the limits of this process."""
    monkeypatch.setattr(base.DatabaseWrapper, "answer_s", None)
    monkeypatch.setattr(base.DatabaseWrapper, "statement_s", None)


def wrapper(query=""):
    """Return a connection that is not open, with the defaults that Django adds to settings."""
    settings = env.database_settings(f"postgresql://me@db.example/trials{query}")
    return base.DatabaseWrapper({**connections["default"].settings_dict, **settings})


def test_command_notices_a_lost_network_and_has_no_limit_else(limits):
    asked = wrapper().get_connection_params()
    assert {name: asked[name] for name in base._CLIENT} == base._CLIENT
    assert asked["options"] == (
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
        "-c tcp_user_timeout=20000"
    )


def test_web_process_ends_statements_and_the_address_has_the_last_word(limits):
    base.limit_web_process()
    asked = wrapper("?connect_timeout=2&options=-c%20statement_timeout%3D9").get_connection_params()
    assert asked["connect_timeout"] == "2"
    assert asked["options"].endswith(
        "-c statement_timeout=20000 -c idle_in_transaction_session_timeout=20000 -c statement_timeout=9"
    )


def test_worker_is_limited_on_its_own_side_alone(limits):
    base.limit_worker_process()
    assert base.DatabaseWrapper.answer_s == 600
    assert "statement_timeout" not in wrapper().get_connection_params()["options"]


@pytest.mark.django_db
def test_server_that_takes_a_connection_and_says_nothing_is_given_up(limits):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = wrapper()
        silent.settings_dict |= {"HOST": "127.0.0.1", "PORT": str(listener.getsockname()[1])}
        silent.settings_dict["OPTIONS"] = {"connect_timeout": "2"}
        started = time.monotonic()
        with pytest.raises(OperationalError):
            silent.ensure_connection()
        assert time.monotonic() - started < 30


@pytest.mark.db
@pytest.mark.django_db
def test_answer_that_does_not_come_closes_the_connection(limits, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server.")
    monkeypatch.setattr(base.DatabaseWrapper, "answer_s", 0.5)
    monkeypatch.setattr(base.DatabaseWrapper, "statement_s", 1)  # or it would go on in the server
    found = []

    def ask():  # a thread has a connection of its own
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                with pytest.raises(OperationalError, match=r"did not answer within 0\.5 s"):
                    cursor.execute("SELECT pg_sleep(120)")
            found.append(connection.connection.closed)
            connection.close_if_unusable_or_obsolete()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                found.append(cursor.fetchone())
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(30)
    assert found == [True, (1,)]
