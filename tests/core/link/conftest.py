from tests.core.net.conftest import run

__all__ = ["run"]
