import os

import pytest

from tests.core.net.conftest import run

__all__ = ["run"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What os.sendfile has sent, call by call."""
    sizes: list[int] = []
    real = os.sendfile

    def sendfile(out: int, source: int, offset: int, count: int) -> int:
        size = real(out, source, offset, count)
        sizes.append(size)
        return size

    monkeypatch.setattr(os, "sendfile", sendfile)
    return sizes
