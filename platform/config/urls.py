"""Every address of the web process."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("hosting.api.urls")),
    path("healthz/", include("hosting.api.health")),
    path("operator/", admin.site.urls),
]
