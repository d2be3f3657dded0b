"""Progress on a terminal, silence in a pipe."""

import io

import pytest

from equipoise.cli.progress import with_progress


class Terminal(io.StringIO):
    def __init__(self, *, is_terminal):
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal


@pytest.mark.parametrize(("is_terminal", "written"), [(False, ""), (True, None)])
def test_items_come_through_and_only_a_terminal_sees_progress(monkeypatch, is_terminal, written):
    stream = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr("sys.stderr", stream)
    assert list(with_progress("ab", label="masks")) == ["a", "b"]
    clear = "\r\x1b[K"
    shown = f"{clear}masks: 1 of 2{clear}masks: 2 of 2{clear}" if written is None else written
    assert stream.getvalue() == shown


def test_an_unknown_total_is_left_out(monkeypatch):
    stream = Terminal(is_terminal=True)
    monkeypatch.setattr("sys.stderr", stream)
    assert list(with_progress(iter("a"), label="masks")) == ["a"]
    assert "masks: 1\r" in stream.getvalue()
