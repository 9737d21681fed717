"""How bodies of forms are parsed, and within what bounds; the defaults are those of `Limits`."""

from dataclasses import dataclass, field

from zonda._core.base.limits import DEFAULT_LIMITS


@dataclass
class ParseMultipartConfig:
    """Bounds of multipart/form-data.  Source: Tornado documentation, `tornado.httputil`."""

    #: Whether multipart bodies are parsed at all; if not, one is an `HTTPInputError`.
    enabled: bool = True
    #: Parts in one body.
    max_parts: int = DEFAULT_LIMITS.parts
    #: Bytes of the headers of one part.
    max_part_header_size: int = DEFAULT_LIMITS.part_header_bytes


@dataclass
class ParseUrlEncodedConfig:
    """Bounds of urlencoded bodies and queries.  Source: Tornado documentation, `tornado.httputil`."""

    #: Arguments in one body or query; empty ones count.
    max_arguments: int = DEFAULT_LIMITS.arguments


@dataclass
class ParseBodyConfig:
    """Bounds of the bodies that `parse_body_arguments` knows.

    Source: Tornado documentation, `tornado.httputil`.
    """

    #: For multipart/form-data.
    multipart: ParseMultipartConfig = field(default_factory=ParseMultipartConfig)
    #: For application/x-www-form-urlencoded, and for the query of a request.
    urlencoded: ParseUrlEncodedConfig = field(default_factory=ParseUrlEncodedConfig)


_default = ParseBodyConfig()


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Makes `config` the default of the whole process; meant for its start.

    Source: Tornado documentation, `tornado.httputil`.
    """
    global _default
    _default = config


def default_parse_body_config() -> ParseBodyConfig:
    """Returns the default that applies now."""
    return _default
