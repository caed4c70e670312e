"""Every address of the dashboard."""

from django.urls import include, path

from dashboard.views import (
    creating,
    listing,
    live,
    logs,
    managing,
    model,
    model_secrets,
    playground,
    revisions,
    secrets,
    team,
    waking,
)

urlpatterns = [
    path("", listing.models, name="models"),
    path("host/", creating.choose, name="choose"),
    path("host/<slug:source>/", creating.create, name="create"),
    path("subdomain/", creating.check_subdomain, name="check-subdomain"),
    path("catalogue/<slug:slug>.svg", creating.picture, name="picture"),
    path("models/<slug:subdomain>/", model.page, name="model"),
    path("models/<slug:subdomain>/head/", model.head, name="model-head"),
    path("models/<slug:subdomain>/activity/", model.activity, name="model-activity"),
    path("models/<slug:subdomain>/logs/", logs.log, name="model-logs"),
    path("models/<slug:subdomain>/logs/download/", logs.download, name="model-logs-download"),
    path("models/<slug:subdomain>/wakes/", waking.wakes, name="model-wakes"),
    path("models/<slug:subdomain>/timeout/", waking.use_timeout, name="model-use-timeout"),
    path("models/<slug:subdomain>/playground/", playground.playground, name="model-playground"),
    path("models/<slug:subdomain>/code/", model.snippet, name="model-snippet"),
    path("models/<slug:subdomain>/wake/", model.wake, name="model-wake"),
    path("models/<slug:subdomain>/sleep/", model.sleep, name="model-sleep"),
    path("models/<slug:subdomain>/activate/", model.activate, name="model-activate"),
    path("models/<slug:subdomain>/deactivate/", model.deactivate, name="model-deactivate"),
    path("models/<slug:subdomain>/tokens/", secrets.token_list, name="model-tokens"),
    path("models/<slug:subdomain>/tokens/issue/", secrets.issue_token, name="issue-token"),
    path(
        "models/<slug:subdomain>/tokens/<int:token_id>/revoke/",
        secrets.revoke_token,
        name="revoke-token",
    ),
    path("models/<slug:subdomain>/secrets/", model_secrets.secret_list, name="model-secrets"),
    path("models/<slug:subdomain>/secrets/set/", model_secrets.set_secret, name="set-secret"),
    path(
        "models/<slug:subdomain>/secrets/<str:name>/remove/",
        model_secrets.remove_secret,
        name="remove-secret",
    ),
    path("models/<slug:subdomain>/restart/", model_secrets.restart, name="restart-model"),
    path(
        "models/<slug:subdomain>/tokens/<int:token_id>/waking/",
        secrets.let_token_wake,
        name="let-token-wake",
    ),
    path("models/<slug:subdomain>/settings/", managing.settings, name="model-settings"),
    path(
        "models/<slug:subdomain>/settings/change/", managing.change_settings, name="change-settings"
    ),
    path("models/<slug:subdomain>/settings/waking/", managing.change_waking, name="change-waking"),
    path(
        "models/<slug:subdomain>/settings/warm/",
        managing.change_warm_windows,
        name="change-warm-windows",
    ),
    path("models/<slug:subdomain>/deploy/", revisions.deploy, name="model-deploy"),
    path("models/<slug:subdomain>/revisions/", revisions.revision_list, name="model-revisions"),
    path(
        "models/<slug:subdomain>/revisions/<int:number>/current/",
        revisions.roll_back,
        name="roll-back",
    ),
    path("models/<slug:subdomain>/canary/", revisions.start_canary, name="start-canary"),
    path(
        "models/<slug:subdomain>/canary/promote/", revisions.promote_canary, name="promote-canary"
    ),
    path("models/<slug:subdomain>/canary/abort/", revisions.abort_canary, name="abort-canary"),
    path("models/<slug:subdomain>/auto-rollback/", revisions.auto_rollback, name="auto-rollback"),
    path("models/<slug:subdomain>/golden/", revisions.keep_golden, name="keep-golden"),
    path(
        "models/<slug:subdomain>/golden/<int:golden_id>/forget/",
        revisions.forget_golden,
        name="forget-golden",
    ),
    path("models/<slug:subdomain>/delete/", managing.delete, name="model-delete"),
    path("api-keys/", secrets.key_list, name="api-keys"),
    path("api-keys/issue/", secrets.issue_key, name="issue-key"),
    path("api-keys/<int:key_id>/revoke/", secrets.revoke_key, name="revoke-key"),
    path("members/", team.members, name="members"),
    path("docs/", team.docs, name="docs"),
    path("", include("dashboard.billing_urls")),
    path("team/", listing.choose_team, name="choose-team"),
    path("live/", live.stream, name="live"),
]
