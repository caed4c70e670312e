"""`python -m hosting.router`: the data plane on a socket."""

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

from hosting.router import worker
from hosting.router.config import Address, Config


def main() -> None:
    """Read the command line and serve."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="router %(levelname)s %(message)s"
    )
    config = read(sys.argv[1:])
    try:
        sockets = [listen(address) for address in config.listen]
    except OSError as error:
        sys.exit(f"router: {error}. Choose another --listen.")
    worker.run(config, sockets, ready=lambda: announce(config))


def read(arguments: list[str]) -> Config:
    """The configuration a command line describes."""
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
    parser.add_argument("--metrics", type=Address.parse, metavar="HOST:PORT")
    parser.add_argument("--access-log", type=Path, metavar="FILE")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--router-id", default=socket.gethostname())
    parser.add_argument("--scheme", choices=["http", "https"], default="http")
    given = parser.parse_args(arguments)
    if given.redis is None and given.routes is None:
        parser.error("give --redis or --routes")
    return Config(
        base_domain=given.base_domain.lower().strip("."),
        listen=tuple(given.listen or [Address("127.0.0.1", 8000)]),
        spool=given.spool,
        redis_url=given.redis if given.routes is None else None,
        routes_file=given.routes,
        dashboard=given.dashboard,
        metrics=given.metrics,
        access_log=given.access_log,
        router_id=given.router_id,
        workers=given.workers,
        scheme=given.scheme,
    )


def listen(address: Address) -> socket.socket:
    """A listening socket; OSError names the address."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((address.host, address.port))
        sock.listen(4096)
    except OSError as error:
        sock.close()
        raise OSError(f"can't listen on {address}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def announce(config: Config) -> None:
    """Say that callers are served from here on."""
    where = ", ".join(str(address) for address in config.listen)
    logging.getLogger("router").info("serving *.%s on %s", config.base_domain, where)


if __name__ == "__main__":
    main()
