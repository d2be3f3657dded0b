"""The examples in the docstrings say what the functions return."""

import doctest
import importlib
import pkgutil

import pytest

import equipoise.stats

MODULES = sorted(module.name for module in pkgutil.iter_modules(equipoise.stats.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    result = doctest.testmod(importlib.import_module(f"equipoise.stats.{name}"))
    assert result.failed == 0


@pytest.mark.parametrize("name", [n for n in equipoise.stats.__all__ if not n[0].isupper()])
def test_public_function_has_references_and_an_example(name):
    text = getattr(equipoise.stats, name).__doc__
    assert "References\n" in text
    assert ">>> " in text
