"""`aiohttp_proxy.py PORT ROUTES`: the router one would write with aiohttp, for comparison only.

Runs in an environment of its own: aiohttp is no dependency of ours.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from pathlib import Path

import aiohttp
import uvloop
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host",
              "authorization", "content-length"}  # fmt: skip
routes = json.loads(Path(sys.argv[2]).read_text())
in_flight = dict.fromkeys(routes, 0)
events: list[tuple[float, int, int, float]] = []


async def serve(request: web.Request) -> web.StreamResponse:
    name = request.host.partition(".")[0]
    route = routes.get(name)
    if route is None:
        return web.json_response({"error": "not found"}, status=404)
    said = request.headers.get("Authorization", "")
    digest = hashlib.sha256(said.removeprefix("Bearer ").encode()).hexdigest()
    if route["sha256"] and not hmac.compare_digest(digest, route["sha256"]):
        return web.json_response({"error": "unauthorized"}, status=401)
    if route["limit"] and in_flight[name] >= route["limit"]:
        return web.json_response({"error": "busy"}, status=503)
    in_flight[name] += 1
    started = time.monotonic()
    status = 500
    try:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        url = f"http://{route['host']}:{route['port']}{request.rel_url}"
        body = request.content if request.can_read_body else None
        async with request.app["client"].request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            status = answer.status
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            reply = web.StreamResponse(status=status, headers=kept)
            reply.content_length = answer.content_length
            await reply.prepare(request)
            async for piece in answer.content.iter_any():
                await reply.write(piece)
            await reply.write_eof()
            return reply
    finally:
        in_flight[name] -= 1
        events.append((time.time(), route["id"], status, time.monotonic() - started))
        if len(events) > 10_000:
            events.clear()


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:
        app = web.Application(client_max_size=64 << 20)
        app["client"] = client
        app.router.add_route("*", "/{tail:.*}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]), backlog=4096).start()
        await asyncio.Event().wait()


uvloop.run(main())
