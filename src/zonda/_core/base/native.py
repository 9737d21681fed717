"""Which of the two builds this is, and what the compiled one has to be told.

`setup.py` lists the modules that mypyc compiles when a wheel is built, all into one library.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The names that mypyc looks for while it compiles; at run time nobody needs the package.
    from mypy_extensions import i64 as i64
    from mypy_extensions import mypyc_attr as mypyc_attr
    from mypy_extensions import trait as trait
else:
    #: 64 bits of a register, where it is compiled.
    i64 = int

    def mypyc_attr(**_):
        """Marks a class for mypyc; otherwise it does nothing."""
        return lambda cls: cls

    def trait(cls):
        """Marks a class that compiled classes have as a second base; otherwise it does nothing."""
        return cls


#: Whether the hot modules run compiled (a wheel built where there is a C compiler), or as Python.
COMPILED = find_spec("zonda._core.compiled__mypyc") is not None
