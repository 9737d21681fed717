"""The bounds of forms come from one place."""

import pytest

from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.form_config import (
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    default_parse_body_config,
    set_parse_body_config,
)
from zonda._core.wire.forms import parse_body_arguments


def test_defaults_are_those_of_limits():
    config = ParseBodyConfig()
    assert config.multipart.max_parts == DEFAULT_LIMITS.parts
    assert config.multipart.max_part_header_size == DEFAULT_LIMITS.part_header_bytes
    assert config.urlencoded.max_arguments == DEFAULT_LIMITS.arguments
    assert config == ParseBodyConfig(ParseMultipartConfig(), ParseUrlEncodedConfig())
    assert config.multipart is not ParseBodyConfig().multipart


def test_default_can_be_set():
    before = default_parse_body_config()
    try:
        set_parse_body_config(ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=1)))
        with pytest.raises(HTTPInputError, match="Max number of fields exceeded"):
            parse_body_arguments("application/x-www-form-urlencoded", b"a=1&b=2", {}, {})
    finally:
        set_parse_body_config(before)
