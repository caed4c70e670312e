from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The server-rendered pages."""

    name = "dashboard"
