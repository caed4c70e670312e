from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, teams and API keys."""

    name = "accounts"
