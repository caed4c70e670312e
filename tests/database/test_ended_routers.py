"""Routers that end: who is surely gone, and which requests nobody knows the end of."""

import os

import pytest

from hosting.metering import shipper
from hosting.models import RouterKill, SpoolSource, UnconfirmedRequest, UsageRecord
from hosting.router.spool import Spool
from hosting.router.usage import RequestIds, begin_line, spool_line
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
IDS = RequestIds()


def write(router: Spool, *, outcome: str = "ok", route: str = "query") -> str:
    """One request, as a router writes it down; its id."""
    request_id = IDS.mint(now=NOON.timestamp())
    begun = begin_line(
        request_id=request_id,
        owners=b"3\t1\t9",
        token_id=5,
        route=route.encode(),
        method=b"POST",
        counts=True,
        cold=False,
        arrived_at=NOON.timestamp(),
        held_ms=0,
    )
    router.append(
        spool_line(
            begun,
            status=200,
            outcome=outcome,
            counted=outcome == "ok" and route == "query",
            model_ms=12,
            bytes_in=20,
            bytes_out=40,
        )
    )
    return request_id.decode()


def kill(router: Spool) -> None:
    """What the kernel does for a process that was killed: its lock is free, its files stay."""
    os.close(router._lock)


def start(tmp_path) -> Spool:
    return Spool(tmp_path, "router", segment_bytes=4096)


def ship(tmp_path) -> SpoolSource:
    shipper.ship_once(tmp_path, now=NOON)
    return SpoolSource.objects.get()


def unconfirmed() -> set[str]:
    return {str(each.request_id) for each in UnconfirmedRequest.objects.all()}


def test_a_router_that_lives_is_not_gone_however_often_one_looks(tmp_path):
    router = start(tmp_path)
    write(router)

    assert ship(tmp_path).ended_boot == 0
    assert ship(tmp_path).ended_boot == 0
    router.close()


def test_a_killed_router_is_gone_at_once_and_so_is_one_that_closed(tmp_path):
    kill(start(tmp_path))
    assert ship(tmp_path).ended_boot == 1

    start(tmp_path).close()
    assert ship(tmp_path).ended_boot == 2


def test_the_next_in_its_place_lives_and_the_one_before_is_gone(tmp_path):
    kill(start(tmp_path))
    router = start(tmp_path)

    assert ship(tmp_path).ended_boot == 1
    router.close()


def test_looking_does_not_take_the_place_from_the_next_one(tmp_path):
    kill(start(tmp_path))
    ship(tmp_path)

    router = start(tmp_path)

    assert (router.name, router.boot) == ("router-0", 2)
    router.close()


def test_what_was_written_just_before_a_kill_is_billed_and_named(tmp_path):
    router = start(tmp_path)
    write(router)
    router.mark(connections=3)
    write(router)
    router.mark(connections=4)  # the second one may still be in this turn of the loop
    last = write(router)
    kill(router)
    ship(tmp_path)

    (found,) = RouterKill.objects.all()
    assert (found.boot, found.connections, found.found_at) == (1, 4, NOON)
    assert last in unconfirmed()
    assert len(unconfirmed()) == 2
    assert UsageRecord.objects.filter(counted=True).count() == 3


def test_what_is_out_is_not_named(tmp_path):
    router = start(tmp_path)
    write(router)
    router.mark(connections=1)
    router.mark(connections=1)
    kill(router)
    ship(tmp_path)

    assert RouterKill.objects.count() == 1
    assert not unconfirmed()


def test_a_router_that_closed_left_nothing_open(tmp_path):
    router = start(tmp_path)
    write(router)
    router.close()
    ship(tmp_path)

    assert not RouterKill.objects.exists()


@pytest.mark.parametrize("many", [1, 50])
def test_the_lines_of_the_next_process_are_not_its_fault(tmp_path, many):
    router = start(tmp_path)
    ours = {write(router) for _ in range(many)}  # of fifty, some in a second segment
    kill(router)
    following = start(tmp_path)
    for _ in range(many):
        write(following)
    ship(tmp_path)

    assert unconfirmed() == ours
    following.close()


def test_what_costs_nothing_anyway_is_not_named(tmp_path):
    router = start(tmp_path)
    write(router, outcome="client_abort")
    write(router, outcome="refused")
    write(router, route="info")
    kill(router)
    ship(tmp_path)

    assert not unconfirmed()


def test_a_shipper_that_died_after_it_noted_them_notes_them_once(tmp_path):
    router = start(tmp_path)
    write(router)
    mark = (tmp_path / "router-0" / "boot-1.mark").read_bytes()
    kill(router)
    ship(tmp_path)
    (tmp_path / "router-0" / "boot-1.mark").write_bytes(mark)
    ship(tmp_path)

    assert RouterKill.objects.count() == len(unconfirmed()) == 1


def test_a_mark_that_a_power_cut_took_stops_nobody(tmp_path):
    router = start(tmp_path)
    write(router)
    kill(router)
    (tmp_path / "router-0" / "boot-1.mark").write_bytes(b"")

    assert ship(tmp_path).ended_boot == 1
    assert UsageRecord.objects.count() == 1
