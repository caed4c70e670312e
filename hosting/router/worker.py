"""One router process from start to end: sockets in, drained connections out."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Coroutine

import uvloop
from redis.asyncio import Redis

from hosting.router import metrics, static_routes
from hosting.router.config import Config
from hosting.router.node import Node
from hosting.router.reports import Reporter
from hosting.router.spool import Spool
from hosting.router.table_feed import TableFeed
from hosting.router.table_inquiry import TableInquiry

logger = logging.getLogger(__name__)

_BACKLOG = 4096
_GARBAGE_AT = 50_000  # what requests leave behind holds no circles: look for some rarely
_TABLE_SECONDS = 2.0
_REDIS_SECONDS = 2.0


def run(
    config: Config, sockets: list[socket.socket], *, ready: Callable[[], None], life: int | None
) -> None:
    """Serve on these listening sockets until told to stop, or `life` closes. Blocks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file
    uvloop.run(_serve(config, sockets, ready=ready, life=life))


async def _serve(
    config: Config, sockets: list[socket.socket], *, ready: Callable[[], None], life: int | None
) -> None:
    spool = Spool(config.spool, config.router_id, segment_bytes=config.limits.spool_segment_bytes)
    node = Node(config, spool=spool)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if life is not None:
        loop.add_reader(life, _parent_gone, loop, life, node, stop)
    redis, reporter, jobs = await _connect(config, node, spool)
    jobs += [node.tick_for_ever(), node.flush_for_ever()]
    tasks = [loop.create_task(_guarded(job)) for job in jobs]
    servers = [
        await loop.create_server(node.connect, sock=sock, backlog=_BACKLOG) for sock in sockets
    ]
    if config.metrics is not None:
        # Each process has a port of its own: the first, or as many above it as its place is.
        port = config.metrics.port + int(spool.name.rpartition("-")[2])
        await metrics.serve(node, name=spool.name, host=config.metrics.host, port=port)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_AT)
    ready()
    await stop.wait()
    node.start_draining()
    for server in servers:
        server.close()
    await _drain(node)
    for task in tasks:
        task.cancel()
    await node.leases.farewell()
    node.close()
    if redis is not None and reporter is not None:
        await reporter.farewell()
        await redis.aclose()


def _parent_gone(
    loop: asyncio.AbstractEventLoop, life: int, node: Node, stop: asyncio.Event
) -> None:
    """Nobody comes after us: finish what we have, and wait for nobody who has nothing."""
    loop.remove_reader(life)
    node.last = True
    for caller in list(node.callers):
        caller.close_if_idle()
    stop.set()


async def _connect(
    config: Config, node: Node, spool: Spool
) -> tuple[Redis | None, Reporter | None, list[Coroutine[None, None, None]]]:
    """The route table and who feeds it."""
    if config.routes_file is not None:
        node.table.replace(static_routes.read(config.routes_file))
    if config.redis_url is None:
        node.table.never_stale()
        return None, None, []
    redis = Redis.from_url(
        config.redis_url,
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
    feed = TableFeed(redis, node.table)
    reporter = Reporter(redis, node.table, router_id=spool.name)
    fed = _fed(config, node, feed)
    try:  # no 503 for the first callers; but a Redis that is away must not keep us from starting
        async with asyncio.timeout(_TABLE_SECONDS):
            await feed.ready.wait()
    except TimeoutError:
        logger.warning("starting without a route table: Redis does not answer")

    async def follow() -> None:
        await fed

    return redis, reporter, [follow(), reporter.run(), node.leases.run(redis)]


def _fed(config: Config, node: Node, feed: TableFeed) -> asyncio.Future[list[None]]:
    """Start what keeps the table current."""
    jobs = [feed.run()]
    if config.dashboard is not None and config.inquiry_proof is not None:
        proof = config.inquiry_proof
        jobs.append(TableInquiry(config.dashboard, proof=proof, feed=feed, table=node.table).run())
    else:
        logger.warning(
            "changes of routes wait for Redis whenever it is away: "
            "set --dashboard and DORMOUSE_SECRET_KEY to have the web process asked"
        )
    return asyncio.gather(*[asyncio.ensure_future(_guarded(job)) for job in jobs])


async def _guarded(job: Coroutine[None, None, None]) -> None:
    """Nothing that runs for ever may end unnoticed."""
    try:
        await job
    except asyncio.CancelledError:
        raise
    except Exception:
        logger.exception("a background job of the router ended")
        signal.raise_signal(signal.SIGTERM)


async def _drain(node: Node) -> None:
    """Wait for what is under way; idle connections get a moment to bring a last request."""
    limits = node.limits
    loop = asyncio.get_running_loop()
    started = loop.time()
    while node.callers and loop.time() - started < limits.drain_seconds:
        if node.last or loop.time() - started >= limits.drain_idle_seconds:
            for caller in list(node.callers):
                caller.close_if_idle()
        await asyncio.sleep(0.05)
