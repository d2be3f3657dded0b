"""Bringing Django up: a second time in one process changes nothing; processes do not migrate at the same time."""

import logging
import os
import subprocess
import sys

from equipoise.config.start import django_start


class _Closed(logging.Handler):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_a_second_start_leaves_the_log_handlers_of_others_open():
    handler = _Closed()
    django_start()
    assert not handler.closed


def test_processes_that_start_together_migrate_one_after_the_other(tmp_path):
    code = "from equipoise.config.start import *; django_start(); database_prepare()"
    site = {
        **os.environ,
        "EQUIPOISE_DATA_DIR": str(tmp_path),
        "EQUIPOISE_DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.production",
    }
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=site, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
