"""The line before a model: who goes in next, how long it gets, and what standing in it costs."""

import socket
import time
from pathlib import Path

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model


def test_the_hundred_and_first_who_waits_is_told_so(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening")
    router.knows()
    wires = [router.wire() for _ in range(101)]

    for wire in wires:
        wire.send(head("POST", "/v1/query", body=b"{}"))

    answers = [wire for wire in wires if _has_answer(wire.socket)]
    assert len(answers) == 1
    assert answers[0].read().code == "queue_full"


def _has_answer(sock: socket.socket) -> bool:
    sock.settimeout(0.02)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_one_at_a_time_first_come_first_served(router: Router, control: ControlPlane, model: Model):
    model.handler = models.after(0.05)
    control.known_to_router(control.awake("echo", model.port, concurrency=1))
    wires = [router.wire() for _ in range(8)]

    for number, wire in enumerate(wires):
        wire.send(head("POST", "/v1/query", body=b"%d" % number))
        time.sleep(0.005)
    answers = [wire.read() for wire in wires]

    assert [answer.json["body"] for answer in answers] == [str(number) for number in range(8)]
    assert [seen.body for seen in model.seen] == [b"%d" % number for number in range(8)]
    gaps = [b.at - a.at for a, b in zip(model.seen, model.seen[1:], strict=False)]
    assert min(gaps) >= 0.045


def test_the_least_loaded_replica_gets_the_next_request(router: Router, control: ControlPlane):
    pair = Model(models.after(0.5)), Model(models.after(0.5))
    control.known_to_router(control.awake("echo", *(m.port for m in pair), concurrency=0))
    wires = [router.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(6)]

    for wire in wires:
        wire.read()

    assert [len(each.seen) for each in pair] == [3, 3]


def test_many_held_requests_cost_little_and_are_all_answered(
    tmp_path: Path, control: ControlPlane, model: Model
):
    count = 2000
    limits = ("--limit", f"held_per_model={count}", "--limit", f"held_per_process={count}")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.publish("echo", state="awakening", concurrency=0)
        router.knows()
        before = _memory_kib(router)
        wires = [router.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(count)]
        wait_until(lambda: control.report(control.routes["echo"].model_id))
        time.sleep(1)
        each = (_memory_kib(router) - before) / count
        control.awake("echo", model.port, concurrency=8)

        statuses = {wire.read().status for wire in wires}

    assert statuses == {200}
    assert each < 20


def _memory_kib(router: Router) -> int:
    pid = Path(f"/proc/{router.process.pid}/task/{router.process.pid}/children").read_text().split()
    text = Path(f"/proc/{pid[0]}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def test_who_finds_the_queue_full_is_told_to_come_back_when_the_model_is_awake(
    tmp_path: Path, control: ControlPlane
):
    limits = ("--limit", "held_per_model=1")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.publish("echo", state="awakening", since=time.time(), wake_seconds=40.0)
        router.knows()
        router.wire().send(head("POST", "/v1/query", body=b"1"))
        time.sleep(0.2)

        answer = router.query()

    assert answer.code == "queue_full"
    assert 35 < int(answer.headers["retry-after"]) <= 40
