"""Where a replica fits, and who goes for it: pure arithmetic."""

import pytest

from hosting.lifecycle.placing import (
    UNLIMITED,
    Amount,
    Candidate,
    Shares,
    best,
    in_order,
    to_stop,
    worth,
)

NOBODY_OVER = Shares(memory_mb=10_000, held={})


def drowsy(model_id, memory_mb=100, *, team=1, worth=1.0, awake=False):
    return Candidate(model_id, team, "local", Amount(memory_mb), worth, awake=awake)


def ids(candidates):
    return [each.model_id for each in candidates]


def test_the_node_with_most_memory_left_is_taken():
    free = {"a": Amount(300, 4), "b": Amount(900, 4), "c": Amount(600, 4)}

    assert best(Amount(256, 1), free) == "b"


def test_a_node_that_lacks_any_one_thing_is_not_taken():
    free = {"a": Amount(900, 0.5), "b": Amount(200, 4), "c": Amount(256, 1)}

    assert best(Amount(256, 1), free) == "c"
    assert best(Amount(256, 1, 1), free) is None


def test_gpus_are_kept_for_those_who_ask_for_one():
    free = {"gpu": Amount(9_000, 8, 2), "plain": Amount(500, 4)}

    assert best(Amount(256, 1), free) == "plain"
    assert best(Amount(256, 1, 1), free) == "gpu"
    assert best(Amount(600, 1), free) == "gpu"


def test_a_node_that_has_the_image_is_taken_before_a_roomier_one():
    free = {"a": Amount(900, 4), "b": Amount(500, 4), "full": Amount(100, 4)}

    assert best(Amount(256, 1), free, at_home={"b", "full"}) == "b"
    assert best(Amount(256, 1), free, at_home={"full"}) == "a"


def test_having_the_image_does_not_make_a_gpu_free_for_who_needs_none():
    free = {"gpu": Amount(9_000, 8, 2), "plain": Amount(500, 4)}

    assert best(Amount(256, 1), free, at_home={"gpu"}) == "plain"


def test_fractions_of_a_cpu_that_add_up_to_the_whole_fit():
    tenth = Amount(1, 0.1)
    held = Amount()
    for _ in range(9):
        held += tenth

    assert tenth.fits_in(Amount(100, 1) - held)


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (Amount(100, 9, 9), "512 MiB of memory"),
        (Amount(900, 0.5, 9), "2 CPUs"),
        (Amount(900, 9, 0), "1 GPUs"),
        (UNLIMITED, ""),
    ],
)
def test_what_is_lacking_is_named(room, words):
    assert Amount(512, 2, 1).lacking(room) == words


def test_what_is_used_often_is_worth_more_than_what_is_used_seldom():
    often, seldom = (
        worth(wakes=wakes, window_seconds=604_800, quiet_seconds=60, wake_seconds=2)
        for wakes in (100, 2)
    )

    assert often > seldom


def test_what_takes_long_to_wake_is_worth_more():
    slow, quick = (
        worth(wakes=5, window_seconds=604_800, quiet_seconds=60, wake_seconds=seconds)
        for seconds in (60, 1)
    )

    assert slow == 60 * quick


def test_what_was_used_often_once_but_not_for_days_is_worth_little():
    lately, long_ago = (
        worth(wakes=100, window_seconds=604_800, quiet_seconds=seconds, wake_seconds=2)
        for seconds in (60, 300_000)
    )

    assert lately > 10 * long_ago


def test_the_one_least_worth_keeping_goes_first():
    candidates = [drowsy(1, worth=3), drowsy(2, worth=1), drowsy(3, worth=2)]

    assert ids(in_order(candidates, NOBODY_OVER, wanting=1)) == [2, 3, 1]


def test_who_is_awake_goes_after_all_who_are_drowsy():
    candidates = [drowsy(1, worth=0.1, awake=True), drowsy(2, worth=9)]

    assert ids(in_order(candidates, NOBODY_OVER, wanting=1)) == [2, 1]


def test_a_team_beyond_its_fair_share_goes_before_one_within():
    shares = Shares(memory_mb=1_000, held={1: 200, 2: 800})
    candidates = [drowsy(1, team=1, worth=1), drowsy(2, team=2, worth=9)]

    assert ids(in_order(candidates, shares, wanting=3)) == [2, 1]


def test_who_would_be_beyond_its_fair_share_takes_nothing_from_those_within():
    shares = Shares(memory_mb=1_000, held={1: 200, 2: 450})

    def is_spared(team, *, wanting, memory_mb):
        need = Amount(memory_mb)
        return shares.spares(drowsy(1, team=team), wanting=wanting, need=need)

    assert is_spared(1, wanting=2, memory_mb=100)
    assert not is_spared(1, wanting=2, memory_mb=50)
    assert not is_spared(2, wanting=2, memory_mb=100)


def test_no_more_are_stopped_than_it_takes():
    candidates = [drowsy(1, 100), drowsy(2, 100), drowsy(3, 100)]

    assert ids(to_stop(Amount(150), coming=Amount(0), candidates=candidates)) == [1, 2]
    assert to_stop(Amount(150), coming=Amount(150), candidates=candidates) == []


def test_small_ones_are_spared_when_a_big_one_has_to_go_anyway():
    candidates = [drowsy(1, 50), drowsy(2, 50), drowsy(3, 500)]

    assert ids(to_stop(Amount(400), coming=Amount(0), candidates=candidates)) == [3]


def test_nobody_is_stopped_in_vain():
    candidates = [drowsy(1, 100), drowsy(2, 100)]

    assert to_stop(Amount(300), coming=Amount(50), candidates=candidates) is None
