"""What a revision and a model's settings may be. Raises InvalidValue, naming the field."""

import json
import re
from collections.abc import Sequence

from hosting import catalogue, protocols, registries, wire
from hosting.errors import InvalidValue
from hosting.lifecycle import warm_windows
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import HostedModel

# The distribution project's reference grammar, without a scheme: [host[:port]/]path[:tag][@digest]
IMAGE_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?)/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
TIMEOUT_LIMITS = {
    "idle_timeout_seconds": (5, 86_400),
    "deep_sleep_after_seconds": (0, 604_800),
    "request_timeout_seconds": (1, 3_600),
    "startup_timeout_seconds": (5, 1_800),
}
MOST_REPLICAS = 50
MOST_BODY_MB = 1024
MOST_MEMORY_MB, MOST_CPUS, MOST_GPUS, MOST_JSON_BYTES = 1_048_576, 256, 64, 65_536


def check_revision(spec: RevisionSpec) -> None:
    """Refuse what could never run."""
    _check_image(spec)
    if spec.port is not None and not 1 <= spec.port <= 65_535:
        raise InvalidValue("A port is a number from 1 to 65535.", field="port")
    for name in ("health_path", "query_path", "info_path"):
        _check_path(getattr(spec, name), field=name)
    _check_environment(dict(spec.environment))
    if len(json.dumps(dict(spec.options))) > MOST_JSON_BYTES:
        raise InvalidValue("The options are too long: 64 KiB at most.", field="options")
    if not all(isinstance(each, str) and "\0" not in each for each in spec.arguments):
        raise InvalidValue("Arguments are a list of texts.", field="arguments")
    if spec.concurrency is not None and not 0 <= spec.concurrency <= 10_000:
        raise InvalidValue("Concurrency is 0 (no limit) to 10,000.", field="concurrency")
    if not 16 <= spec.memory_mb <= MOST_MEMORY_MB:
        raise InvalidValue("Memory is at least 16 MiB.", field="memory_mb")
    if not 0.01 <= spec.cpus <= MOST_CPUS:
        raise InvalidValue(f"CPUs are 0.01 to {MOST_CPUS}.", field="cpus")
    if not 0 <= spec.gpus <= MOST_GPUS:
        raise InvalidValue(f"GPUs are 0 to {MOST_GPUS}.", field="gpus")
    _check_protocol(spec)


def check_timeouts(**seconds: int) -> None:
    """Refuse timeouts outside their limits."""
    for name, value in seconds.items():
        least, most = TIMEOUT_LIMITS[name]
        if not least <= value <= most:
            raise InvalidValue(f"Give {least} to {most:,} seconds.", field=name)


def check_share(percent: int) -> None:
    """Refuse a canary's share that is no percentage."""
    if not 0 <= percent <= 100:
        raise InvalidValue("Give 0 to 100 percent.", field="share")


def check_body(megabytes: int) -> None:
    """Refuse a limit of request bodies that no caller could use, or no model could take."""
    if not 1 <= megabytes <= MOST_BODY_MB:
        raise InvalidValue(f"Give 1 to {MOST_BODY_MB:,} MiB.", field="max_body_mb")


def replica_bounds(model: HostedModel, *, least: int | None, most: int | None) -> dict[str, int]:
    """The bounds that are given, checked against those that stay."""
    bounds = {
        "min_replicas": model.min_replicas if least is None else least,
        "max_replicas": model.max_replicas if most is None else most,
    }
    if least is None and most is None:
        return {}
    if not 1 <= bounds["max_replicas"] <= MOST_REPLICAS:
        raise InvalidValue(f"Give 1 to {MOST_REPLICAS} replicas.", field="max_replicas")
    if not 0 <= bounds["min_replicas"] <= bounds["max_replicas"]:
        raise InvalidValue("Give 0 up to the most replicas.", field="min_replicas")
    return bounds


def waking_rules(
    *, routes: Sequence[str] | None, methods: Sequence[str] | None
) -> dict[str, list[str]]:
    """The routes and methods that may wake a model, as far as given, in their settled order."""
    found = {}
    for field, given, every in (
        ("wake_routes", routes, wire.ROUTES),
        ("wake_methods", methods, wire.METHODS),
    ):
        if given is None:
            continue
        if unknown := set(given) - set(every):
            raise InvalidValue(f"Choose from {', '.join(every)}, not {min(unknown)}.", field=field)
        found[field] = [each for each in every if each in given]
    return found


def warm_hours(
    *, windows: Sequence[str] | None, time_zone: str | None
) -> dict[str, list[str] | str]:
    """Warm windows and their time zone, as far as given, the windows in their settled spelling."""
    found: dict[str, list[str] | str] = {}
    if windows is not None:
        found["warm_windows"] = [str(each) for each in warm_windows.parse_all(windows)]
    if time_zone is not None:
        found["time_zone"] = warm_windows.zone(time_zone).key
    return found


def _check_image(spec: RevisionSpec) -> None:
    image = spec.image
    kind, _, slug = image.partition(":")
    if kind == "catalogue":
        entry = catalogue.demand(slug)
        catalogue.check_choices(entry, command=spec.command, options=spec.options)
    elif len(image) > 400 or not IMAGE_REFERENCE.fullmatch(image):
        raise InvalidValue(
            "That isn't an image reference, such as registry.example.org/name:tag.", field="image"
        )
    else:
        registries.check_allowed(image)


def _check_path(path: str, *, field: str) -> None:
    plain = path.isascii() and path.isprintable() and " " not in path
    if path and not (path.startswith("/") and plain):
        raise InvalidValue(
            "A path starts with “/” and has no spaces, and writes “ü” as %C3%BC.",
            field=field,
        )


def _check_environment(environment: dict[str, str]) -> None:
    for name, value in environment.items():
        if not VARIABLE_NAME.fullmatch(name):
            raise InvalidValue(
                f"“{name}” can't be a variable: use A-Z, 0-9 and _.", field="environment"
            )
        if not isinstance(value, str) or "\0" in value:
            raise InvalidValue(f"The value of {name} must be a text.", field="environment")
    if len(json.dumps(environment)) > MOST_JSON_BYTES:
        raise InvalidValue("The environment is too long: 64 KiB at most.", field="environment")


def _check_protocol(spec: RevisionSpec) -> None:
    """Let the protocol refuse what it can't speak, such as a runway model without a command."""
    protocol = protocols.get(spec.protocol)
    chosen = protocols.Settings(
        port=spec.port,
        health_path=spec.health_path or None,
        query_path=spec.query_path or None,
        info_path=spec.info_path or None,
        command=spec.command,
        options=spec.options,
    )
    protocol.environment(chosen)
    protocol.query_path(chosen)
