"""The rows of the control plane, one file per concept."""

from hosting.models.build import Build
from hosting.models.decision import Decision
from hosting.models.golden_request import GoldenRequest
from hosting.models.hosted_model import HostedModel
from hosting.models.ledger import (
    ChainDay,
    ClosedHour,
    DirtyHour,
    LedgerClock,
    Reconciliation,
    RouterKill,
    SpoolSegment,
    SpoolSource,
    UnconfirmedRequest,
)
from hosting.models.log import LogLine, ReplicaLog
from hosting.models.registry_login import RegistryLogin
from hosting.models.replica import Replica
from hosting.models.revision import Revision
from hosting.models.secret import ModelSecret
from hosting.models.standing import Standing
from hosting.models.target import Target
from hosting.models.team_limit import TeamLimit
from hosting.models.token import EndpointToken
from hosting.models.transition import Transition
from hosting.models.usage import UsageDay, UsageHour, UsageMinute, UsageRecord
from hosting.models.wake import Wake

__all__ = [
    "Build",
    "ChainDay",
    "ClosedHour",
    "Decision",
    "DirtyHour",
    "EndpointToken",
    "GoldenRequest",
    "HostedModel",
    "LedgerClock",
    "LogLine",
    "ModelSecret",
    "Reconciliation",
    "RegistryLogin",
    "Replica",
    "ReplicaLog",
    "Revision",
    "RouterKill",
    "SpoolSegment",
    "SpoolSource",
    "Standing",
    "Target",
    "TeamLimit",
    "Transition",
    "UnconfirmedRequest",
    "UsageDay",
    "UsageHour",
    "UsageMinute",
    "UsageRecord",
    "Wake",
]
