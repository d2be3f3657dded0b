"""Accounts as a Django app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, institutes, service tokens, sign-in. The only tables with personal data besides audit's side tables."""

    name = "equipoise.accounts"
    label = "accounts"
