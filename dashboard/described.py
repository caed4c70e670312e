"""What a model takes and gives, as its page shows it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hosting import protocols
from hosting.models import Revision
from hosting.protocols import inputs
from hosting.route_table import protocol_settings


@dataclass(frozen=True, slots=True)
class Field:
    """One input or output."""

    name: str
    takes: str
    description: str
    default: str


@dataclass(frozen=True, slots=True)
class Described:
    """Both, or why there is nothing to show yet."""

    inputs: Sequence[Field]
    outputs: Sequence[Field]
    missing: str  # why the image said nothing
    pending: bool  # a worker looks into the image
    checked: bool  # calls to the sleeping model are held to it

    @property
    def known(self) -> bool:
        """Whether there is anything to list."""
        return bool(self.inputs or self.outputs)


def described(revision: Revision) -> Described:
    """Read what is stored: neither model nor image is asked for it."""
    protocol = protocols.get(revision.protocol)
    info = protocol.info(protocol_settings(revision)) or revision.info
    looks = bool(protocol.manifest_environment or protocol.manifest_label)
    return Described(
        inputs=list(_fields(inputs.read_specs(info) or ())),
        outputs=list(_fields(inputs.read_specs(info, which="outputs") or ())),
        missing=revision.info_missing if not info else "",
        checked=looks,
        pending=looks and not info and not revision.info_missing,
    )


def _fields(specs: Sequence[inputs.Spec], *, of: str = "") -> Iterator[Field]:
    for spec in specs:
        name, inner = f"{of}{spec['name']}", spec.get("fields")
        if spec.get("type") == "object" and inputs.are_specs(inner):
            yield from _fields(inner, of=f"{name}.")
            continue
        default = spec.get("default")
        yield Field(
            name=name,
            takes=inputs.words(spec),
            description=str(spec.get("description") or ""),
            default="" if default in (None, "", []) else _told(default),
        )


def _told(value: object) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:80]
