"""What becomes of a request whose head is read: an answer of ours, a model, or the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosting.router import admission, answers, canary, hosts, targets, waking
from hosting.router.canary import Diverted
from hosting.router.clocks import monotonic, wall
from hosting.router.dashboard import DashboardRelay
from hosting.router.endpoints import Endpoint
from hosting.router.exchange import Exchange
from hosting.router.request_head import Refused, Request
from hosting.router.targets import Kind
from hosting.router.upgrade import Tunnel
from hosting.states import State, public_status
from hosting.wire import Asker

if TYPE_CHECKING:
    from hosting.router.caller import Caller
    from hosting.router.node import Node


def serve(node: Node, caller: Caller, request: Request, body: bytes, *, complete: bool) -> None:
    """Decide, from memory, and begin. Nothing here waits."""
    subdomain = hosts.subdomain_of(request.name, node.domain)
    if subdomain is None:
        _serve_dashboard(node, caller, request, body, complete=complete)
        return
    if request.method == b"OPTIONS":
        keep = caller.will_keep_alive(body_done=complete)
        caller.finish(answers.preflight(request.wanted_headers, close=not keep), body_done=complete)
        return
    arrived, arrived_at = monotonic(), wall()
    try:
        endpoint = _endpoint(node, subdomain, now=arrived)
        target = targets.read(request.target)
        token_id = admission.admit(request, endpoint, target, shown=caller.shown, now=arrived_at)
    except Refused as refused:
        _refuse(node, caller, request, refused, complete=complete)
        return
    diverted = False
    if endpoint.canary is not None:
        endpoint, diverted = canary.choose(endpoint, request, target.kind)
    if target.kind == Kind.STATUS:
        asker = Asker(
            asked_at=arrived_at,
            token_id=token_id,
            route="status",
            method=request.method.decode(),
            address=caller.address,
        )
        _answer_status(node, caller, request, endpoint, target.query, asker, complete=complete)
    elif target.kind == Kind.INFO and endpoint.info_at_hand:
        _answer_info(caller, request, endpoint, complete=complete)
    else:
        if diverted:
            exchange: Exchange = Diverted(node, caller, request)
        elif request.upgrade is not None and request.wants_websocket and target.kind == Kind.OTHER:
            exchange = Tunnel(node, caller, request)
        else:
            exchange = Exchange(node, caller, request)
        exchange.admit(endpoint, target, token_id, arrived, arrived_at)
        caller.relay = exchange
        caller.max_body = endpoint.max_body
        problem = node.spool_problem(now=arrived)
        if problem is not None:
            exchange.give_up(problem)
        else:
            exchange.begin(body, complete=complete)


def _endpoint(node: Node, subdomain: str, *, now: float) -> Endpoint:
    endpoint = node.table.find(subdomain)
    if endpoint is None:
        surely = node.table.surely_lacks(subdomain)
        raise Refused(answers.NOT_FOUND if surely else answers.CONTROL_PLANE_UNAVAILABLE)
    if not endpoint.active:
        raise Refused(answers.NOT_FOUND)
    if not endpoint.public and node.table.stale(now=now):
        raise Refused(answers.CONTROL_PLANE_UNAVAILABLE)
    return endpoint


def _refuse(
    node: Node, caller: Caller, request: Request, refused: Refused, *, complete: bool
) -> None:
    node.count_refusal(refused.problem)
    keep = caller.will_keep_alive(body_done=complete)
    data = answers.refuse(
        refused.problem,
        request_id=node.request_ids.mint(now=wall()),
        close=not keep,
        head_only=request.method == b"HEAD",
    )
    caller.finish(data, body_done=complete)


def _answer_status(
    node: Node,
    caller: Caller,
    request: Request,
    endpoint: Endpoint,
    query: bytes,
    asker: Asker,
    *,
    complete: bool,
) -> None:
    """Answer from memory, and have a sleeping model woken: that is what the client counts on."""
    state = endpoint.state
    word = public_status(state)
    body = answers.status_body(word)
    if b"verbose=1" in query:
        route = endpoint.route
        body = answers.status_body(
            word,
            state=str(state),
            eta_seconds=waking.eta_seconds(route, now=asker.asked_at),
            wakes=route.may_be_woken_by(asker),
            reason=route.wait_reason,
        )
    _answer(caller, request, body, state, complete=complete)
    # A poll is no reason to stay awake, and what would be answered 402 need not wake.
    if state in (State.ASLEEP, State.FAILED) and not endpoint.payment_required:
        node.waking.poke(endpoint, asker)


def _answer_info(caller: Caller, request: Request, endpoint: Endpoint, *, complete: bool) -> None:
    route = endpoint.route
    text = route.info or answers.bare_info(route.subdomain)
    _answer(caller, request, text.encode(), endpoint.state, complete=complete)


def _answer(caller: Caller, request: Request, body: bytes, state: State, *, complete: bool) -> None:
    data = answers.whole(
        200,
        body,
        lines=(b"X-Dormouse-State: " + state.encode(), b"Cache-Control: no-store"),
        close=not caller.will_keep_alive(body_done=complete),
        head_only=request.method == b"HEAD",
    )
    caller.finish(data, body_done=complete)


def _serve_dashboard(
    node: Node, caller: Caller, request: Request, body: bytes, *, complete: bool
) -> None:
    if node.dashboard is None:
        _refuse(node, caller, request, Refused(answers.NOT_SERVED_HERE), complete=complete)
        return
    relay = DashboardRelay(node, caller, request, server=node.dashboard)
    caller.relay = relay
    caller.max_body = relay.most_body_bytes
    relay.begin(body, complete=complete)
