"""Django's settings, the only module of them; every value that varies comes through `env`."""

from urllib.parse import parse_qsl, unquote, urlsplit

import django_stubs_ext

from config import env as environment
from hosting.wire import INQUIRY_HOST

django_stubs_ext.monkeypatch()

ENV = environment.read()
ROOT = environment.ROOT

SECRET_KEY = ENV.secret_key
SECRETS_KEYS = [key for key in ENV.secrets_keys.split(",") if key]
MODEL_SECRETS_DIR = ENV.model_secrets_dir
MODEL_SECRETS_VOLUME = ENV.model_secrets_volume
DEBUG = ENV.debug
ALLOWED_HOSTS = [*ENV.dashboard_hosts, INQUIRY_HOST]

BASE_DOMAIN = ENV.base_domain
PUBLIC_SCHEME = ENV.public_scheme
PUBLIC_PORT = ENV.public_port
_PORT_SUFFIX = (
    "" if PUBLIC_PORT in (None, {"http": 80, "https": 443}[PUBLIC_SCHEME]) else f":{PUBLIC_PORT}"
)
ENDPOINT_PORT_SUFFIX = _PORT_SUFFIX
DASHBOARD_URL = ENV.dashboard_url or f"{PUBLIC_SCHEME}://localhost{_PORT_SUFFIX}"
REGISTRATION_OPEN = ENV.registration_open
DEMO_EMAIL = ENV.demo_email
RESERVED_SUBDOMAINS = frozenset(ENV.reserved_subdomains)

RUNTIME = ENV.runtime
ENGINE_ADDRESS = ENV.engine
INSTALLATION = ENV.installation
STATE_DIR = ENV.state_dir
LIFECYCLE_WORKER = STATE_DIR / environment.LIFECYCLE_WORKER
REPLICA_NETWORK = ENV.replica_network
NODE_MEMORY_MB = ENV.node_memory_mb
NODE_MEMORY_SHARE = ENV.node_memory_share
NODE_CPU_SHARE = ENV.node_cpu_share
NODE_GPUS = ENV.node_gpus
HOLDERS = ENV.holders
REGISTRIES = ENV.registries
CATALOGUE_REGISTRY = ENV.catalogue_registry
TEAM_MEMORY_MB = ENV.team_memory_mb
TEAM_CPUS = ENV.team_cpus
TEAM_GPUS = ENV.team_gpus
LOG_BYTES_PER_REPLICA = ENV.log_kib_per_replica * 1024
LOG_BYTES_PER_MODEL = ENV.log_kib_per_model * 1024
IDLE_TIMEOUT_SECONDS = ENV.idle_timeout_seconds
REQUEST_TIMEOUT_SECONDS = ENV.request_timeout_seconds
STARTUP_TIMEOUT_SECONDS = ENV.startup_timeout_seconds
DRAIN_TIMEOUT_SECONDS = ENV.drain_timeout_seconds
SWEEP_SECONDS = ENV.sweep_seconds

PAYMENTS = ENV.payments
PAYMENT_INSTRUCTIONS = ENV.payment_instructions
STRIPE_KEY = ENV.stripe_key
STRIPE_WEBHOOK_SECRET = ENV.stripe_webhook_secret
STRIPE_API = ENV.stripe_api

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_filters",
    "django_htmx",
    "csp",
    "accounts",
    "hosting",
    "hosting.billing",
    "dashboard",
]

MIDDLEWARE = [
    "hosting.api.request_ids.request_id",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "dashboard.middleware.own_origin_only",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.frame",
            ],
        },
    },
]


def _database(url: str) -> dict[str, object]:
    """Turn postgresql://user:password@host:port/name?host=/socket/folder into Django's form."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or query.pop("user", "")),
        "PASSWORD": unquote(parts.password or query.pop("password", "")),
        "HOST": query.pop("host", "") or (parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        # A pool: under ASGI each request runs in a thread of its own, and would connect anew.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**query, "pool": {"min_size": 0, "max_size": 32, "timeout": 10}},
    }


DATABASES = {"default": _database(ENV.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = ENV.redis_url
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Only limits are counted in it: a Redis that hangs must not keep people waiting for long.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
MFA_ADAPTER = "accounts.passkeys.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "accounts.passkeys.AddForm",
    "authenticate_webauthn": "accounts.passkeys.AuthenticateForm",
    "login_webauthn": "accounts.passkeys.LoginForm",
    "reauthenticate_webauthn": "accounts.passkeys.ReauthenticateForm",
}

_SECURE = PUBLIC_SCHEME == "https"
SESSION_COOKIE_NAME = "__Host-session" if _SECURE else "dormouse_session"
CSRF_COOKIE_NAME = "__Host-csrf" if _SECURE else "dormouse_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [DASHBOARD_URL]
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failed"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        # Buying credits goes on at the provider's page.
        "form-action": ["'self'", *(["https://checkout.stripe.com"] if STRIPE_KEY else [])],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

_MAIL = urlsplit(ENV.email_url)
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if _MAIL.hostname
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = _MAIL.hostname or ""
EMAIL_PORT = _MAIL.port or 25
EMAIL_HOST_USER = unquote(_MAIL.username or "")
EMAIL_HOST_PASSWORD = unquote(_MAIL.password or "")
EMAIL_USE_TLS = _MAIL.scheme == "smtps"
DEFAULT_FROM_EMAIL = ENV.email_from

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hosting.api.authentication.ApiKeyAuthentication",
        "hosting.api.authentication.OwnPagesSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["hosting.api.tenancy.TeamMember"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["hosting.api.parsing.BoundedJsonParser"],
    "DEFAULT_SCHEMA_CLASS": "hosting.api.schema.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "hosting.api.errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["hosting.api.throttling.TeamThrottle"],
    "DEFAULT_THROTTLE_RATES": {"team": "1200/min"},
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dormouse admin API",
    "DESCRIPTION": "Host models, hand out tokens, wake and sleep, read usage.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "OAS_VERSION": "3.1.1",  # its schemas are JSON Schema: the tests check answers against them
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "State": "hosting.api.serializers.hosted_models.STATE_CHOICES",
        "Protocol": "hosting.api.serializers.revisions.PROTOCOL_CHOICES",
        "Role": "accounts.models.Role",
    },
}

# A task is a nudge: it may be lost, late or run twice (docs/architecture.md). Truth is a row.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "workers.beat:SteadyScheduler"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(request_id)s%(message)s"},
    },
    "filters": {"request_id": {"()": "hosting.api.request_ids.InLogLines"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"httpx": {"level": "WARNING"}},
}
