"""The web framework: the public module `zonda.web` (`tornado.web`)."""

import importlib

from zonda._core.base.face import show
from zonda._core.web.access import addslash, authenticated, removeslash
from zonda._core.web.application import Application
from zonda._core.web.asynchronous import asynchronous as asynchronous
from zonda._core.web.compress import ContentEncoding, GZipContentEncoding, OutputTransform
from zonda._core.web.errors import Finish, HTTPError, MissingArgumentError
from zonda._core.web.handler import RequestHandler, stream_request_body
from zonda._core.web.redirect import ErrorHandler, FallbackHandler, RedirectHandler
from zonda._core.web.rendering import is_absolute as is_absolute
from zonda._core.web.rule import URLSpec
from zonda._core.web.signing import (
    DEFAULT_SIGNED_VALUE_MIN_VERSION,
    DEFAULT_SIGNED_VALUE_VERSION,
    MAX_SUPPORTED_SIGNED_VALUE_VERSION,
    MIN_SUPPORTED_SIGNED_VALUE_VERSION,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from zonda._core.web.signing import _create_signature_v1 as _create_signature_v1
from zonda._core.web.signing import _create_signature_v2 as _create_signature_v2
from zonda._core.web.static import StaticFileHandler
from zonda._core.web.ui_modules import TemplateModule, UIModule

url = URLSpec

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Application",
    "ContentEncoding",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "addslash",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
    "removeslash",
    "stream_request_body",
    "url",
]

show(__name__, globals(), __all__)


def _start_autoreload() -> None:
    importlib.import_module("zonda.autoreload").start()


Application.start_autoreload = staticmethod(_start_autoreload)
