"""The addresses of the REST admin API, mounted at /api/v1/."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from hosting.api.errors import unknown_address
from hosting.api.views.account import AccountViewSet
from hosting.api.views.api_keys import ApiKeyViewSet
from hosting.api.views.billing import BillingViewSet as Billing
from hosting.api.views.capacity import CapacityViewSet
from hosting.api.views.catalogue import CatalogueViewSet
from hosting.api.views.credits import CreditsViewSet as Credits
from hosting.api.views.decisions import DecisionViewSet
from hosting.api.views.golden_requests import GoldenRequestViewSet
from hosting.api.views.hosted_models import HostedModelViewSet as Models
from hosting.api.views.logs import LogViewSet
from hosting.api.views.registry_logins import InstallationLoginViewSet, RegistryLoginViewSet
from hosting.api.views.replicas import ReplicaViewSet
from hosting.api.views.revisions import RevisionViewSet
from hosting.api.views.secrets import SecretViewSet
from hosting.api.views.team_limits import TeamLimitViewSet
from hosting.api.views.tokens import EndpointTokenViewSet
from hosting.api.views.transitions import TransitionViewSet
from hosting.api.views.unconfirmed import UnconfirmedViewSet
from hosting.api.views.usage import UsageViewSet
from hosting.api.views.wakes import WakeViewSet

app_name = "api"

_MODEL = "models/<str:subdomain>/"

urlpatterns = [
    path("me/", AccountViewSet.as_view({"get": "me"}), name="me"),
    path("team/", AccountViewSet.as_view({"patch": "rename_team"}), name="team"),
    path(
        "subdomains/check/",
        AccountViewSet.as_view({"get": "check_subdomain"}),
        name="check-subdomain",
    ),
    path("models/", Models.as_view({"get": "list", "post": "create"}), name="models"),
    path(
        _MODEL,
        Models.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="model",
    ),
    path(f"{_MODEL}wake/", Models.as_view({"post": "wake"}), name="wake"),
    path(f"{_MODEL}sleep/", Models.as_view({"post": "sleep"}), name="sleep"),
    path(f"{_MODEL}activate/", Models.as_view({"post": "activate"}), name="activate"),
    path(f"{_MODEL}deactivate/", Models.as_view({"post": "deactivate"}), name="deactivate"),
    path(f"{_MODEL}wakes/", WakeViewSet.as_view({"get": "list"}), name="wakes"),
    path(f"{_MODEL}wake-times/", WakeViewSet.as_view({"get": "times"}), name="wake-times"),
    path(
        f"{_MODEL}sleep-simulation/",
        WakeViewSet.as_view({"get": "simulate"}),
        name="sleep-simulation",
    ),
    path(f"{_MODEL}replicas/", ReplicaViewSet.as_view({"get": "list"}), name="replicas"),
    path(f"{_MODEL}logs/", LogViewSet.as_view({"get": "list"}), name="logs"),
    path(f"{_MODEL}logs/tail/", LogViewSet.as_view({"get": "tail"}), name="logs-tail"),
    path(f"{_MODEL}transitions/", TransitionViewSet.as_view({"get": "list"}), name="transitions"),
    path(
        f"{_MODEL}revisions/",
        RevisionViewSet.as_view({"get": "list", "post": "create"}),
        name="revisions",
    ),
    path(
        f"{_MODEL}revisions/rollback/",
        RevisionViewSet.as_view({"post": "roll_back"}),
        name="rollback",
    ),
    path(f"{_MODEL}decisions/", DecisionViewSet.as_view({"get": "list"}), name="decisions"),
    path(
        f"{_MODEL}canary/",
        RevisionViewSet.as_view({"put": "start_canary", "delete": "abort_canary"}),
        name="canary",
    ),
    path(
        f"{_MODEL}canary/promote/",
        RevisionViewSet.as_view({"post": "promote"}),
        name="promote-canary",
    ),
    path(
        f"{_MODEL}golden-requests/",
        GoldenRequestViewSet.as_view({"get": "list", "post": "create"}),
        name="golden-requests",
    ),
    path(
        f"{_MODEL}golden-requests/<str:golden_id>/",
        GoldenRequestViewSet.as_view({"delete": "destroy"}),
        name="golden-request",
    ),
    path(
        f"{_MODEL}tokens/",
        EndpointTokenViewSet.as_view({"get": "list", "post": "create"}),
        name="tokens",
    ),
    path(
        f"{_MODEL}tokens/<str:token_id>/",
        EndpointTokenViewSet.as_view({"patch": "partial_update", "delete": "destroy"}),
        name="token",
    ),
    path(f"{_MODEL}secrets/", SecretViewSet.as_view({"get": "list"}), name="secrets"),
    path(
        f"{_MODEL}secrets/<str:secret_name>/",
        SecretViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="secret",
    ),
    path(f"{_MODEL}usage/", UsageViewSet.as_view({"get": "model"}), name="model-usage"),
    path("capacity/", CapacityViewSet.as_view({"get": "team_total"}), name="capacity"),
    path("registry-logins/", RegistryLoginViewSet.as_view({"get": "list"}), name="registry-logins"),
    path(
        "registry-logins/<str:host>/",
        RegistryLoginViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="registry-login",
    ),
    path(
        "installation/registry-logins/",
        InstallationLoginViewSet.as_view({"get": "list"}),
        name="installation-logins",
    ),
    path(
        "installation/registry-logins/<str:host>/",
        InstallationLoginViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="installation-login",
    ),
    path(
        "installation/teams/", TeamLimitViewSet.as_view({"get": "list"}), name="installation-teams"
    ),
    path(
        "installation/teams/<str:team_id>/limit/",
        TeamLimitViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="team-limit",
    ),
    path("usage/unconfirmed/", UnconfirmedViewSet.as_view({"get": "list"}), name="unconfirmed"),
    path("usage/", UsageViewSet.as_view({"get": "team_total"}), name="usage"),
    path(
        f"{_MODEL}statistics/",
        Billing.as_view({"get": "model_statistics"}),
        name="model-statistics",
    ),
    path("billing/", Billing.as_view({"get": "month"}), name="billing"),
    path("billing/budgets/", Billing.as_view({"put": "set_budget"}), name="budgets"),
    path(
        "billing/budgets/<str:budget_id>/",
        Billing.as_view({"delete": "remove_budget"}),
        name="budget",
    ),
    path("billing/credits/", Credits.as_view({"get": "credits", "post": "buy"}), name="credits"),
    path("billing/credits/<str:purchase>/", Credits.as_view({"get": "purchase"}), name="purchase"),
    path(
        "billing/profile/",
        Credits.as_view({"get": "profile", "patch": "change_profile"}),
        name="billing-profile",
    ),
    path("usage/export/", Credits.as_view({"get": "export"}), name="usage-export"),
    path("invoices/", Billing.as_view({"get": "invoices"}), name="invoices"),
    path("invoices/<str:number>/", Billing.as_view({"get": "invoice"}), name="invoice"),
    path(
        "invoices/<str:number>/document/",
        Credits.as_view({"get": "document"}),
        name="invoice-document",
    ),
    path(
        "invoices/<str:number>/lines/<str:position>/",
        Billing.as_view({"get": "line"}),
        name="invoice-line",
    ),
    path("catalogue/", CatalogueViewSet.as_view({"get": "list"}), name="catalogue"),
    path(
        "catalogue/<str:slug>/",
        CatalogueViewSet.as_view({"get": "retrieve"}),
        name="catalogue-entry",
    ),
    path("api-keys/", ApiKeyViewSet.as_view({"get": "list", "post": "create"}), name="api-keys"),
    path("api-keys/<str:key_id>/", ApiKeyViewSet.as_view({"delete": "destroy"}), name="api-key"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            url_name="api:schema", template_name="api/docs.html", title="Dormouse admin API"
        ),
        name="docs",
    ),
    re_path(r"^.*$", unknown_address, name="unknown"),
]
