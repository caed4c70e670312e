"""The runtime of this installation, made once per process from the settings."""

from functools import cache

from django.conf import settings

from hosting.runtimes import registry
from hosting.runtimes.base import Runtime


@cache
def runtime() -> Runtime:
    """The driver that starts, finds and stops this installation's replicas."""
    return registry.runtime(
        settings.RUNTIME,
        installation=settings.INSTALLATION,
        state_dir=settings.STATE_DIR,
        network=settings.REPLICA_NETWORK,
        secrets_dir=settings.MODEL_SECRETS_DIR,
        secrets_volume=settings.MODEL_SECRETS_VOLUME,
        catalogue_registry=settings.CATALOGUE_REGISTRY,
        engine_address=settings.ENGINE_ADDRESS,
    )
