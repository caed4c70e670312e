"""What a caller can act on: a stable code, an HTTP status and a sentence that says what to do."""


class HostingError(Exception):
    """Rendered by one handler per interface. Anything else that is raised is a bug."""

    code = "hosting_error"
    status = 400

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidValue(HostingError):
    """A value that can't be accepted; `field` names it."""

    code = "invalid"
    status = 422


class SubdomainTaken(HostingError):
    code = "subdomain_taken"
    status = 409

    def __init__(self, subdomain: str) -> None:
        super().__init__(f"The subdomain “{subdomain}” is taken. Try another.", field="subdomain")


class NoCanary(HostingError):
    code = "no_canary"
    status = 409


class ModelInactive(HostingError):
    code = "model_inactive"
    status = 409

    def __init__(self, subdomain: str) -> None:
        super().__init__(f"{subdomain} is switched off. Switch it on, then wake it.")


class WakeBackoff(HostingError):
    """The last wake failed and the next try is not due yet."""

    code = "wake_backoff"
    status = 503


class SecretsUnavailable(HostingError):
    """Secrets can't be sealed or opened: a key is missing. The message says what to do."""

    code = "secrets_unavailable"
    status = 503


class RuntimeUnavailable(HostingError):
    """The container engine doesn't answer. Worth another try in a moment."""

    code = "runtime_unavailable"
    status = 503


class ReplicaFailed(HostingError):
    """A replica could not be started: bad image, bad command, no room. The message says which."""

    code = "replica_failed"
    status = 500


class ImageMissing(ReplicaFailed):
    """The machine it was placed on has no such image, nor gets it: another machine may."""

    code = "image_missing"


class NeverFits(HostingError):
    """A replica asks for more than any machine or its team has: waiting would not help."""

    code = "never_fits"
    status = 422


class BuildFailed(HostingError):
    """A catalogue image could not be built; the message ends with the last lines of the build."""

    code = "build_failed"
    status = 500
