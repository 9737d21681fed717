"""The measure of the other tests can fail."""

import pytest

from tests.core.wire.growth import assert_linear


def test_quadratic_work_is_noticed():
    with pytest.raises(AssertionError):
        assert_linear(lambda n: n, lambda n: [0] * 50 + [sum(range(n)) for _ in range(n)], 20)


def test_linear_work_passes():
    assert_linear(lambda n: n, lambda n: sum(range(n)), 2000)
