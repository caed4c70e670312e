from django.apps import AppConfig


class HostingConfig(AppConfig):
    """Hosted models: rows, lifecycle, metering, the admin API."""

    name = "hosting"
