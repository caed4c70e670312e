"""Every address of the web process."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path, re_path

from hosting.api.errors import model_without_name

# Its own would let people in by password alone, whatever second factor they have.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("api/v1/", include("hosting.api.urls")),
    re_path(r"^v1(?:/|$)", model_without_name),
    path("healthz/", include("hosting.api.health")),
    path("webhooks/", include("hosting.api.webhooks")),
    path("", include("hosting.api.inquiries")),
    path("operator/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.forbidden"
handler404 = "dashboard.views.errors.not_found"
handler500 = "dashboard.views.errors.broken"
