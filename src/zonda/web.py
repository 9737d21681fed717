"""The web framework: the public module `zonda.web` (`tornado.web`)."""

import importlib

from zonda._core.base.face import show
from zonda._core.web.access import addslash, authenticated, removeslash
from zonda._core.web.application import Application
from zonda._core.web.compress import GZipContentEncoding, OutputTransform
from zonda._core.web.errors import Finish, HTTPError, MissingArgumentError
from zonda._core.web.handler import RequestHandler, stream_request_body
from zonda._core.web.redirect import ErrorHandler, FallbackHandler, RedirectHandler
from zonda._core.web.rendering import TemplateModule, UIModule
from zonda._core.web.rule import URLSpec
from zonda._core.web.signing import (
    DEFAULT_SIGNED_VALUE_MIN_VERSION,
    DEFAULT_SIGNED_VALUE_VERSION,
    MAX_SUPPORTED_SIGNED_VALUE_VERSION,
    MIN_SUPPORTED_SIGNED_VALUE_VERSION,
    _create_signature_v1,
    _create_signature_v2,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from zonda._core.web.static import StaticFileHandler

url = URLSpec

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Application",
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
    "_create_signature_v1",
    "_create_signature_v2",
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
