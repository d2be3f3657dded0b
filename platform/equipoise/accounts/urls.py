"""Addresses below ``/api/v1/``."""

from django.urls import path

from equipoise.accounts.api.views import SessionConfirmView, SessionView

urlpatterns = [
    path("session", SessionView.as_view(), name="session"),
    path("session/confirm", SessionConfirmView.as_view(), name="session-confirm"),
]
