"""The addresses of those who run the installation."""

from django.urls import path

from dashboard.views import capacity, registries

urlpatterns = [
    path("capacity/", capacity.installation_capacity, name="installation-capacity"),
    path("capacity/<int:team_id>/", capacity.limit_team, name="limit-team"),
    path("registries/", registries.installation_logins, name="installation-registries"),
    path("registries/set/", registries.set_installation_login, name="set-installation-login"),
    path(
        "registries/<str:host>/forget/",
        registries.forget_installation_login,
        name="forget-installation-login",
    ),
]
