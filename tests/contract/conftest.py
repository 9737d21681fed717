from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.brokers import served


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A kind of broker, and what its tests share."""
    with served(request.param) as pair:
        yield pair
