"""What the router writes in one turn of its loop: at once while there is little, else together."""

import asyncio

import pytest

from hosting.router.outbox import Outbox, Sender


class Pipe:
    def __init__(self, log: list[bytes]) -> None:
        self.log = log

    def write(self, data: bytes) -> None:
        self.log.append(data)


def make() -> tuple[Outbox, Sender, list[bytes]]:
    log: list[bytes] = []
    sender = Sender()
    sender.transport = Pipe(log)  # type: ignore[assignment]
    return Outbox(), sender, log


def test_the_only_write_of_a_turn_goes_out_at_once():
    async def run() -> None:
        outbox, sender, log = make()
        for number in range(5):
            outbox.send(sender, b"%d" % number)
            assert len(log) == number + 1
            await asyncio.sleep(0)

    asyncio.run(run())


def test_after_a_busy_turn_writes_wait_for_the_end_of_theirs():
    async def run() -> None:
        outbox, sender, log = make()
        outbox.send(sender, b"a")
        outbox.send(sender, b"b")
        assert log == [b"a"]
        await asyncio.sleep(0)
        assert log == [b"a", b"b"]

        outbox.send(sender, b"c")
        assert log == [b"a", b"b"]
        outbox.send(sender, b"d")
        await asyncio.sleep(0)
        assert log == [b"a", b"b", b"c", b"d"]

    asyncio.run(run())


def test_large_data_keeps_its_place():
    async def run() -> None:
        outbox, sender, log = make()
        large = b"x" * 20_000
        for data in (b"a", b"b", large, b"c"):
            outbox.send(sender, data)
        assert log == [b"a", b"b", large]
        await asyncio.sleep(0)
        assert log == [b"a", b"b", large, b"c"]

    asyncio.run(run())


def test_who_takes_no_more_is_cut_off_and_the_others_get_theirs():
    class Ended(Pipe):
        aborted = False

        def write(self, data: bytes) -> None:
            raise RuntimeError("write after write_eof")

        def abort(self) -> None:
            self.aborted = True

    async def run() -> None:
        outbox, sender, log = make()
        ended = Sender()
        ended.transport = transport = Ended([])  # type: ignore[assignment]
        for each in (ended, sender, ended, sender):
            outbox.send(each, b"a")
        await asyncio.sleep(0)
        assert transport.aborted
        assert log == [b"a", b"a"]

    asyncio.run(run())


class Broken(Pipe):
    def write(self, data: bytes) -> None:
        raise OSError("this one takes nothing")


def test_a_write_that_fails_keeps_nobody_elses_back():
    async def run() -> None:
        outbox, sender, log = make()
        broken = Sender()
        broken.transport = Broken(log)  # type: ignore[assignment]
        with pytest.raises(OSError, match="takes nothing"):
            outbox.send(broken, b"a")
        await asyncio.sleep(0)
        outbox.send(sender, b"b")
        outbox.send(sender, b"c")
        await asyncio.sleep(0)
        assert log == [b"b", b"c"]

    asyncio.run(run())
