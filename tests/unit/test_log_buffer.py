"""What is kept of a replica that writes more than fits, and that it is told."""

import threading

from hosting.logs import buffer
from hosting.logs.buffer import Buffer
from hosting.runtimes.base import Output, Stream


def line(number, text="x" * 1000):
    return Output(number, Stream.OUT, text)


def test_what_fits_comes_out_as_it_went_in_and_once():
    box = Buffer()
    for number in range(10):
        box.add(line(number))

    assert [each.at for each in box.take().outputs] == list(range(10))
    assert box.take().outputs == ()


def test_the_newest_lines_win_and_the_others_are_counted():
    box = Buffer()
    for number in range(1000):
        box.add(line(number))

    taken = box.take()

    assert taken.dropped + len(taken.outputs) == 1000
    assert taken.outputs[-1].at == 999
    assert sum(buffer.size_of(each.text) for each in taken.outputs) <= buffer.MOST_BYTES
    assert not taken.uncounted


def test_a_reader_of_far_too_much_waits_until_some_is_taken():
    box = Buffer()
    written = []

    def spam():
        for number in range(20_000):
            box.add(line(number))
            written.append(number)

    spamming = threading.Thread(target=spam, daemon=True)
    spamming.start()
    spamming.join(2)
    waiting, so_far = spamming.is_alive(), len(written)

    taken = box.take()

    assert waiting
    assert so_far < 10_000
    assert taken.uncounted
    while spamming.is_alive():
        box.take()
        spamming.join(0.01)
    assert len(written) == 20_000


def test_a_reader_nobody_listens_to_any_more_is_let_go():
    box = Buffer()
    box.close()

    assert all(not box.add(line(number)) for number in range(20_000))
