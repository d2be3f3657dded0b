"""Trials as a Django app."""

from django.apps import AppConfig


class TrialsConfig(AppConfig):
    """The study itself: protocol, cases, participants, readings, analyses."""

    name = "trials"
    label = "trials"
