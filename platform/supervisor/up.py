"""`up`: everything Dormouse needs on one machine, in one process tree."""

import http.client
import json
import os
import signal
import time
from collections.abc import Mapping
from types import FrameType

from hosting import disks
from supervisor import demo, embedded, engine, logs, orphans, ports, programs, steps
from supervisor.children import Children
from supervisor.disk_watch import DiskWatch
from supervisor.errors import SetupFailed
from supervisor.installation import Installation
from supervisor.lock import Lock

READY_SECONDS = 120.0
_CHECK_SECONDS = 0.2
_TRIM_SECONDS = 60.0


class Stopped(Exception):
    """Someone asked us to stop."""


def up(installation: Installation, *, detached: bool) -> None:
    """Start everything, serve until told to stop, stop everything."""
    _need_space(installation)
    installation.prepare()
    lock = Lock(installation.run / "lock")
    if not lock.take():
        raise SetupFailed(
            f"Dormouse already runs: {demo.dashboard_url(installation)}. Stop it with: make down"
        )
    (installation.run / "ready").unlink(missing_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_stopped)
    try:
        _serve(installation, detached=detached)
    except Stopped:
        pass
    finally:
        (installation.run / "ready").unlink(missing_ok=True)
        lock.release()


def _serve(installation: Installation, *, detached: bool) -> None:
    listen = ports.listen_addresses(installation.port)
    dashboard_port = ports.free_port(installation.dashboard_port)
    runtime, remark = engine.choose(installation.runtime)
    if remark:
        say(remark)
    say("Starting PostgreSQL and Valkey ...")
    servers = embedded.start(installation.state, logs=installation.logs, given=os.environ)
    stores = servers.watched(logs=installation.logs, say=say)
    children: Children | None = None
    try:
        environment = installation.environment(os.environ, runtime=runtime)
        environment |= servers.environment()
        installation.remember(environment)
        children = Children(
            programs.programs(installation, listen=listen, dashboard_port=dashboard_port),
            environment=environment,
            logs=installation.logs,
            cwd=programs.root(),
            say=say,
        )
        _prepare(installation, environment=environment, children=children)
        _wait_until_ready(installation, children=children)
        print(demo.banner(installation, detached=detached), flush=True)
        (installation.run / "ready").write_text(str(os.getpid()))
        folders = [installation.state, *servers.folders()]
        disk = DiskWatch(folders, logs=installation.logs, say=say)
        _watch(installation, stores=stores, children=children, disk=disk)
    finally:
        _stop(installation, children=children, stores=stores, servers=servers)


def _watch(
    installation: Installation, *, stores: Children, children: Children, disk: DiskWatch
) -> None:
    """Look after the processes until a signal ends us."""
    trim_at = 0.0
    while True:
        if disk.check():
            stores.hurry()
            children.hurry()
        stores.check()
        children.check()
        if time.monotonic() > trim_at and not disk.full:
            _trim(installation)
            trim_at = time.monotonic() + _TRIM_SECONDS
        time.sleep(_CHECK_SECONDS)


def _trim(installation: Installation) -> None:
    try:
        logs.trim(installation.logs)
    except OSError as error:  # no room for the copies: there will be
        if not disks.is_full(error):
            raise


def _prepare(
    installation: Installation, *, environment: Mapping[str, str], children: Children
) -> None:
    log = installation.logs / "setup.log"
    say("Bringing the tables up to date ...")
    steps.manage("migrate", "--no-input", "-v", "0", environment=environment, log=log)
    if not installation.demo_file.exists():
        # At the first start we build the images ourselves, so that people see it.
        children.hold(programs.LIFECYCLE_WORKER)
    children.check()  # the processes load while the demo is seeded
    printed = steps.manage("seed_demo", environment=environment, log=log, say=say)
    if printed.strip():
        demo.write(installation, json.loads(printed))
    else:
        demo.refresh(installation)
    say("Building the first models ...")
    steps.manage("build_catalogue", "--first", environment=environment, log=log, say=say)
    children.hold()


def _wait_until_ready(installation: Installation, *, children: Children) -> None:
    say("Waiting for the first answer ...")
    deadline = time.monotonic() + READY_SECONDS
    # Who reads that it serves calls a model at once: not while the worker still loads.
    while not (_answers(installation.port) and _takes_tasks(installation, children=children)):
        if time.monotonic() > deadline:
            raise SetupFailed(
                f"No answer on port {installation.port}, or no worker that takes tasks. "
                f"See {installation.logs}"
            )
        children.check()
        time.sleep(0.1)
    # Another installation may have taken the port after we looked: its answers are not ours.
    router = children.pid("router")
    if router is None or not ports.listens(router, port=installation.port):
        raise SetupFailed(ports.busy(installation.port))


def _takes_tasks(installation: Installation, *, children: Children) -> bool:
    """Whether the lifecycle worker that runs now has said so; an earlier one's word is void."""
    said = installation.lifecycle_worker
    pid = children.pid(programs.LIFECYCLE_WORKER)
    return pid is not None and said.exists() and said.read_text() == str(pid)


def _answers(port: int) -> bool:
    """Whether a request gets through the router to the web process and back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(
    installation: Installation,
    *,
    children: Children | None,
    stores: Children,
    servers: embedded.Servers,
) -> None:
    def now(_number: int, _frame: FrameType | None) -> None:
        say("Ending everything now.")
        if children is not None:
            children.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, now)
    say("Stopping ...")
    if children is not None:
        children.stop()
    _stop_replicas(installation, servers=servers)
    stores.stop()
    servers.stop()
    say("Stopped.")


def clean_up(installation: Installation) -> bool:
    """Stop what a killed supervisor left behind: processes it had told to stop, and containers."""
    if installation.remembered() is None:
        return False
    lock = Lock(installation.run / "lock")
    if not lock.take():
        return False
    orphans.end(installation.state)
    servers = embedded.start(installation.state, logs=installation.logs, given=os.environ)
    try:
        _stop_replicas(installation, servers=servers)
    finally:
        servers.stop()
        lock.release()
    return True


def _stop_replicas(installation: Installation, *, servers: embedded.Servers) -> None:
    environment = installation.remembered()
    if environment is None:
        return
    environment = {**os.environ, **environment, **servers.environment()}
    try:
        log = installation.logs / "setup.log"
        steps.manage("stop_replicas", environment=environment, log=log)
    except SetupFailed as error:
        say(str(error))
    installation.forget()


def say(line: str) -> None:
    """One line of progress. Without room for it, it comes with the next for which there is."""
    try:
        print(line, flush=True)
    except OSError as error:
        if not disks.is_full(error):
            raise


def _need_space(installation: Installation) -> None:
    (disk,) = disks.look([installation.state])
    if disk.low:
        raise SetupFailed(
            f"{disk}; {disks.LOW_BYTES >> 20} MB are needed. Free some space and start again."
        )


def _raise_stopped(_number: int, _frame: FrameType | None) -> None:
    raise Stopped
