"""Job tests know the test handlers, and never meet a real broker by accident."""

import pytest

from tests.jobs import handlers  # noqa: F401 - importing registers them


@pytest.fixture
def bells(monkeypatch):
    """Replace the broker by a list of (task, job id, queue) that were rung."""
    from equipoise.jobs import services

    rung = []

    class Bell:
        def send_task(self, name, args, queue):
            rung.append((name, args[0], queue))

    monkeypatch.setattr(services, "current_app", Bell())
    return rung
