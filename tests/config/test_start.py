"""Bringing Django up a second time in one process changes nothing."""

import logging

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
