"""The command line of the router: what it serves, on which sockets, and who does the work."""

import argparse
import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

from hosting.router.config import Address, Config, Limits
from hosting.wire import inquiry_proof

# The workers of a supervisor that was killed let go of the port in a moment.
_BUSY_SECONDS = 1.5


def main() -> None:
    """Read the command line; supervise workers, or be one."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="router %(levelname)s %(message)s"
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to restart
    arguments = sys.argv[1:]
    config, own = read(arguments)
    if own.inherit:
        _work(config, own)
        return
    from hosting.router.supervisor import Supervisor

    try:
        sockets = [listen(address) for address in config.listen]
    except OSError as error:
        sys.exit(f"router: {error}. Choose another --listen.")

    async def supervise() -> int:
        return await Supervisor(arguments, sockets, count=config.workers).run()

    sys.exit(asyncio.run(supervise()))


def _work(config: Config, own: argparse.Namespace) -> None:
    from hosting.router import worker

    sockets = [socket.socket(fileno=int(each)) for each in own.inherit.split(",")]

    def tell() -> None:
        os.write(own.tell, b"1")
        os.close(own.tell)

    worker.run(config, sockets, ready=tell, life=own.life)


def read(arguments: list[str]) -> tuple[Config, argparse.Namespace]:
    """The configuration a command line describes, and what a supervisor tells its workers."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.redis is None and given.routes is None:
        parser.error("give --redis or --routes")
    try:
        limits = Limits().changed(given.limit)
    except ValueError as error:
        parser.error(f"--limit: {error}")
    secret_key = os.environ.get("DORMOUSE_SECRET_KEY")
    config = Config(
        base_domain=given.base_domain.lower().strip("."),
        listen=tuple(given.listen or [Address("127.0.0.1", 8000)]),
        spool=given.spool,
        redis_url=given.redis if given.routes is None else None,
        routes_file=given.routes,
        dashboard=given.dashboard,
        metrics=given.metrics,
        access_log=given.access_log,
        router_id=given.router_id,
        inquiry_proof=inquiry_proof(secret_key) if secret_key else None,
        workers=given.workers,
        scheme=given.scheme,
        limits=limits,
    )
    return config, given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hosting.router", description=__doc__)
    parser.add_argument("--listen", type=Address.parse, action="append", metavar="HOST:PORT")
    parser.add_argument("--base-domain", default="localhost", help="models live right below it")
    parser.add_argument(
        "--redis",
        metavar="URL",
        default=os.environ.get("REDIS_URL"),  # arguments, and passwords in them, are public
        help="where routes come from and wakes go to; default: the variable REDIS_URL",
    )
    parser.add_argument("--routes", type=Path, metavar="FILE", help="a fixed table instead")
    parser.add_argument("--spool", type=Path, required=True, metavar="DIR")
    parser.add_argument("--dashboard", type=Address.parse, metavar="HOST:PORT")
    parser.add_argument(
        "--metrics",
        type=Address.parse,
        metavar="HOST:PORT",
        default=_set("DORMOUSE_METRICS"),
        help="where /metrics and /ready are; default: the variable DORMOUSE_METRICS, or nowhere",
    )
    parser.add_argument(
        "--access-log",
        type=Path,
        metavar="FILE",
        default=_set("DORMOUSE_ACCESS_LOG"),
        help="one JSON line per request; default: the variable DORMOUSE_ACCESS_LOG, or none",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--router-id", default=socket.gethostname())
    parser.add_argument(
        "--scheme",
        choices=["http", "https"],
        default=_set("DORMOUSE_PUBLIC_SCHEME") or "http",
        help="what callers speak, as models are told; default: the variable DORMOUSE_PUBLIC_SCHEME",
    )
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=VALUE", help="see config.py, Limits"
    )
    for hidden, kind in (("--inherit", str), ("--tell", int), ("--life", int)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    return parser


def _set(variable: str) -> str | None:
    return os.environ.get(variable) or None  # compose sets what it does not know to nothing


def listen(address: Address) -> socket.socket:
    """A listening socket; OSError names the address."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    last_try = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            sock.bind((address.host, address.port))
            sock.listen(4096)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < last_try:
                time.sleep(0.05)
                continue
            sock.close()
            raise OSError(f"can't listen on {address}: {error.strerror}") from error
        sock.setblocking(False)
        return sock
