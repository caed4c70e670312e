"""Percentiles from buckets are close to the exact ones."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hosting.metering import histogram
from hosting.metering.histogram import Times


def bucket(ms: int) -> int:
    return math.floor(4 * math.log(ms + 1) / math.log(2))


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=200))
def test_a_percentile_is_within_its_bucket(values):
    exact, near = Times.of(values), histogram.times(Counter(map(bucket, values)))

    for right, told in ((exact.p50, near.p50), (exact.p95, near.p95), (exact.p99, near.p99)):
        low = histogram.start_of(bucket(int(right)))
        high = histogram.start_of(bucket(int(right)) + 1)
        assert low - 1e-6 <= told <= high + 1e-6


def test_nothing_measured_has_no_percentiles():
    assert histogram.times({}) == Times.of([]) == Times(None, None, None)
