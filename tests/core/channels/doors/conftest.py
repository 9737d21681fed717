import pytest

from tests.core.net.loops import FACTORIES, Run, runner


@pytest.fixture(params=FACTORIES)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine; the test is done once on asyncio and once on uvloop."""
    return runner(FACTORIES[request.param])
