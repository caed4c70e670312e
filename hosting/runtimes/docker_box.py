"""The box of one container on an engine: every wall was tried against an abusive model."""

from typing import Any

from docker.types import DeviceRequest, LogConfig, Ulimit

from hosting.runtimes import box
from hosting.runtimes.base import ReplicaSpec


def walls(spec: ReplicaSpec) -> dict[str, Any]:
    """All of it but the network, for the engine's host configuration."""
    memory = f"{spec.resources.memory_mb}m"
    gpus = DeviceRequest(count=spec.resources.gpus, capabilities=[["gpu"]])
    return {
        "device_requests": [gpus] if spec.resources.gpus else None,
        "read_only": True,  # a writable root can fill the host's disk
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,mode=1777,size={box.TMP_MB}m"},  # noqa: S108
        "shm_size": f"{box.TMP_MB}m",
        "mem_limit": memory,
        "memswap_limit": memory,  # equal: no swap
        "nano_cpus": int(spec.resources.cpus * 1_000_000_000),
        "pids_limit": spec.resources.pids,
        "ulimits": [Ulimit(name="nofile", soft=box.OPEN_FILES, hard=box.OPEN_FILES)],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,  # PID 1 that forwards SIGTERM and reaps: stopping takes no 10 s
        "oom_score_adj": 500,  # a host short of memory takes a model before the platform
        "log_config": LogConfig(type=LogConfig.types.JSON, config=box.LOG_OPTIONS),
        "restart_policy": None,  # a replica is never restarted; a new wake is a new one
    }
