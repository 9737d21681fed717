"""Where templates come from, and the cache of those that were read."""

import os
import posixpath
import threading
from typing import Any

from .errors import ParseError
from .template import Template

#: Templates that are read for one another: extends and includes, all in one chain.
MAX_CHAIN = 40


class BaseLoader:
    """Base of the loaders: caches templates by name.  A subclass says how a name becomes a template.

    `autoescape` names the function that templates escape with by default (None: none), `namespace`
    holds names that all of them see, `whitespace` is their whitespace mode (None: by the ending of
    the name).  Safe to use from several threads.  Source: Tornado documentation, `tornado.template`.
    """

    def __init__(
        self,
        autoescape: str | None = "xhtml_escape",
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.autoescape = autoescape
        self.namespace = namespace or {}
        self.whitespace = whitespace
        self.templates: dict[str, Template] = {}
        #: Held while a template is read; re-entrant, for reading one means loading others.
        self.lock = threading.RLock()
        #: Names that are being read, outermost first.  Guarded by `lock`.
        self.opening: list[str] = []

    def reset(self) -> None:
        """Forgets the templates that were read; they are read anew when next asked for."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The full name of `name` as the template `parent_path` calls it."""
        raise NotImplementedError

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """The template of that name, read at most once; `parent_path` names the one that asks.

        Raises what `Template` raises, and KeyError (DictLoader) or OSError (Loader) for a name that
        does not exist.
        """
        name = self.resolve_path(name, parent_path=parent_path)
        with self.lock:
            if name not in self.templates:
                self.templates[name] = self._open(name)
            return self.templates[name]

    def _open(self, name: str) -> Template:
        if len(self.opening) >= MAX_CHAIN:
            chain = " -> ".join([*self.opening[-3:], name])
            raise ParseError(f"a chain of more than {MAX_CHAIN} templates, ending in {chain}", name)
        self.opening.append(name)
        try:
            return self._create_template(name)
        finally:
            self.opening.pop()

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError


class Loader(BaseLoader):
    """Templates from the files below `root_directory`; further arguments as `BaseLoader`'s.

    A name that leads out of the directory (`..`, another absolute path) raises PermissionError.
    """

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The name, relative to the directory of the template `parent_path` unless either is absolute."""
        directory = _directory(name, parent_path)
        if directory is not None:
            path = os.path.abspath(os.path.join(self.root, directory, name))
            if self._holds(path):
                return os.path.relpath(path, self.root)
        return name

    def _create_template(self, name: str) -> Template:
        path = os.path.abspath(os.path.join(self.root, name))
        # By name, not by realpath: a symbolic link in the directory is the owner's own doing, and
        # deployments that link each file (Bazel, Kubernetes) depend on it.
        if not self._holds(path):
            raise PermissionError(f"template {name!r} is outside of the template directory {self.root!r}")
        with open(path, "rb") as file:
            return Template(file.read(), name=name, loader=self)

    def _holds(self, path: str) -> bool:
        return path.startswith(self.root.rstrip(os.sep) + os.sep)


class DictLoader(BaseLoader):
    """Templates from a dictionary of name to text; further arguments as `BaseLoader`'s."""

    def __init__(self, dict: dict[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The name, relative to the directory of the template `parent_path` unless either is absolute."""
        directory = _directory(name, parent_path)
        return name if directory is None else posixpath.normpath(posixpath.join(directory, name))

    def _create_template(self, name: str) -> Template:
        return Template(self.dict[name], name=name, loader=self)


def _directory(name: str, parent_path: str | None) -> str | None:
    """The directory that `name` is relative to; None where it stands for itself."""
    if not parent_path or parent_path.startswith(("<", "/")) or name.startswith("/"):
        return None
    return posixpath.dirname(parent_path)
