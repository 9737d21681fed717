"""A compiled template."""

import linecache
import threading
from contextlib import nullcontext
from types import CodeType
from typing import Any, Final, Protocol

from zonda.escape import to_unicode, xhtml_escape

from .compiler import Compiler, Source
from .parser import Parser
from .runtime import NAMESPACE, escape_by
from .whitespace import filter_whitespace


class Loading(Source, Protocol):
    """What a template asks of the loader it belongs to."""

    autoescape: str | None
    whitespace: str | None
    namespace: dict[str, Any]
    lock: threading.RLock


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


_UNSET: Final = _Unset()


class _CodeReader:
    """The PEP 302 side of a template: lets tracebacks and debuggers show the generated code."""

    __slots__ = ("_code",)

    def __init__(self, code: str) -> None:
        self._code = code

    def get_source(self, name: str) -> str:
        return self._code


class Template:
    """A template, read and compiled; `generate` renders it.

    `template_string` is the text (bytes: UTF-8).  `name` appears in errors, and its ending chooses the
    whitespace mode when neither `whitespace` nor the loader does: `single` for .html and .js, `all`
    for the rest.  `loader` finds what the template extends and includes.  `autoescape` names the
    function applied to `{{ }}`, None for none; by default the loader's, else `xhtml_escape`.
    `compress_whitespace` is the older spelling of whitespace `single` (true) and `all` (false).

    Raises ParseError for a fault in the template language, SyntaxError (with a note that names the
    template's line) for one in its Python, ValueError for a bad whitespace mode.
    Source: Tornado documentation, `tornado.template.Template`.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: Loading | None = None,
        compress_whitespace: bool | _Unset | None = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        if not isinstance(compress_whitespace, _Unset):
            if whitespace is not None:
                raise ValueError("whitespace and compress_whitespace are both given: one is allowed")
            whitespace = "single" if compress_whitespace else "all"
        if whitespace is None and loader is not None:
            whitespace = loader.whitespace
        if whitespace is None:
            whitespace = "single" if name.endswith((".html", ".js")) else "all"
        filter_whitespace(whitespace, "")
        if isinstance(autoescape, _Unset):
            autoescape = loader.autoescape if loader is not None else "xhtml_escape"
        self.name = name
        self.loader = loader
        self.namespace: dict[str, Any] = loader.namespace if loader is not None else {}
        self.file = Parser(to_unicode(template_string), name, whitespace, autoescape).parse()
        self.autoescape = self.file.autoescape
        #: The generated Python, and the same compiled.
        self.code, self.compiled = self._compile()
        self._module_name = name.replace(".", "_")
        self._code_reader = _CodeReader(self.code)

    def generate(self, /, **kwargs: Any) -> bytes:
        """The output in UTF-8; `kwargs` are the names that the template sees besides its own.

        Raises what the template's Python raises.
        """
        namespace = {
            **NAMESPACE,
            "__name__": self._module_name,
            "__loader__": self._code_reader,
            **self.namespace,
            **kwargs,
        }
        if namespace["xhtml_escape"] is not xhtml_escape:
            namespace["_tt_escape"] = escape_by(namespace["xhtml_escape"])
        exec(self.compiled, namespace)
        # Taken out, or the function and its globals would hold each other until the next collection.
        execute = namespace.pop("_tt_execute")
        try:
            output: bytes = execute()
        except Exception:
            # Another template may have had this name: its lines must not be shown for ours.
            linecache.cache.pop(self.compiled.co_filename, None)
            raise
        return output

    def _compile(self) -> tuple[str, CodeType]:
        with self.loader.lock if self.loader is not None else nullcontext():
            code, compiled = self._compile_with(plain_escape=True)
            if _binds(compiled, "xhtml_escape"):
                code, compiled = self._compile_with(plain_escape=False)
        return code, compiled

    def _compile_with(self, *, plain_escape: bool) -> tuple[str, CodeType]:
        compiler = Compiler(self.loader, plain_escape)
        code = compiler.compile(self.file)
        filename = f"{self.name.replace('.', '_')}.generated.py"
        try:
            return code, compile(code, filename, "exec", dont_inherit=True)
        except SyntaxError as error:
            if error.lineno is not None and 0 < error.lineno <= len(compiler.origins):
                error.add_note(f"in the template at {compiler.origins[error.lineno - 1]}")
            raise


def _binds(code: CodeType, name: str) -> bool:
    """Whether a function of the generated code has a local variable of that name."""
    return name in code.co_varnames or any(
        _binds(inner, name) for inner in code.co_consts if isinstance(inner, CodeType)
    )
