import logging

import pytest

from zonda.log import LogFormatter, enable_pretty_logging, safe_text
from zonda.options import OptionParser


@pytest.mark.parametrize(
    ("seen", "logged"),
    [
        ("GET /é?a=b", "GET /é?a=b"),
        ("a\r\n[I 240101] 200 GET /", "a\\r\\n[I 240101] 200 GET /"),
        ("\x1b[2J\x00\x7f\x85", "\\x1b[2J\\x00\\x7f\\x85"),
        ("\u2028\u202e\ud800", "\\u2028\\u202e\\ud800"),
        (b"a\nb\xff\xc3\xa9", "a\\nb\\xffé"),
    ],
)
def test_safe_text_lets_no_one_forge_lines(seen, logged):
    assert safe_text(seen) == logged
    assert safe_text(seen).isprintable()


def record(message, *args):
    return logging.LogRecord("x", logging.INFO, "/a/module.py", 7, message, args, None)


def test_further_lines_are_indented():
    assert LogFormatter(color=False).format(record("a\n[E b")).endswith("] a\n    [E b")


def test_a_wrong_call_is_logged_and_raises_nothing():
    assert "Bad message (TypeError(" in LogFormatter(color=False).format(record("%s %s", 1))


def test_styles_are_honoured():
    assert LogFormatter("{levelname}|{message}", style="{").format(record("m")) == "INFO|m"


def test_an_unknown_level_is_an_error():
    options = OptionParser()
    options.define("logging", default="loud")
    with pytest.raises(ValueError, match="LOUD"):
        enable_pretty_logging(options, logging.Logger("x"))
