"""`zonda` and `python -m zonda`: the command line."""

from .main import main

__all__ = ["main"]
