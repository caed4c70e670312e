"""The protocols a hosted model can speak, by name. `openai` and `oip` join the table."""

from hosting.errors import InvalidValue
from hosting.protocols.base import ModelProtocol, Readiness, Settings
from hosting.protocols.cog import Cog
from hosting.protocols.http import PlainHttp
from hosting.protocols.runway import Runway

__all__ = ["PROTOCOLS", "ModelProtocol", "Readiness", "Settings", "get"]

PROTOCOLS: dict[str, ModelProtocol] = {each.name: each for each in (Runway(), Cog(), PlainHttp())}


def get(name: str) -> ModelProtocol:
    """Look a protocol up; an unknown name is the caller's mistake and says which names exist."""
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        known = ", ".join(sorted(PROTOCOLS))
        raise InvalidValue(f"Unknown protocol “{name}”. Use one of: {known}.", field="protocol")
    return protocol
