import re
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonda.escape import (
    json_encode,
    linkify,
    parse_qs_bytes,
    squeeze,
    url_escape,
    url_unescape,
    xhtml_escape,
    xhtml_unescape,
)


def seconds(function, text) -> float:
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        function(text)
        best = min(best, time.process_time() - begin)
    return best


HOSTILE = {
    "lone percent": (parse_qs_bytes, b"%"),
    "half escapes": (parse_qs_bytes, b"%4"),
    "escapes": (parse_qs_bytes, b"%41"),
    "one value": (parse_qs_bytes, b"a=%"),
    "fields": (parse_qs_bytes, b"a&"),
    "same name": (parse_qs_bytes, b"a=1&"),
    "url_unescape": (url_unescape, "%4"),
    "url_unescape, bytes": (lambda text: url_unescape(text, encoding=None), "%E"),
    "entities": (xhtml_unescape, "&amp"),
    "squeeze": (squeeze, " \t"),
    "brackets": (linkify, "http://a("),
    "open brackets": (linkify, "("),
    "dots": (linkify, "www."),
    "protocol without end": (linkify, "a-"),
    "protocols": (linkify, "a:/"),
    "colons": (linkify, "http:/("),
    "quotes": (linkify, 'www."'),
    "words": (linkify, "w"),
    "slashes": (linkify, "http:///"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_work_grows_with_the_text_only(case):
    function, piece = HOSTILE[case]
    small, large = seconds(function, piece * 2_000), seconds(function, piece * 100_000)
    # Linear is 50 times as long, quadratic 2500 times.
    assert large < 500 * max(small, 1e-4)


@given(st.binary(max_size=60))
def test_percent_decoding_is_that_of_the_standard_library(data):
    assert url_unescape(data, encoding=None, plus=False) == urllib.parse.unquote_to_bytes(data)


@pytest.mark.parametrize("length", range(8185, 8200))
def test_no_escape_is_cut_where_long_values_are_cut(length):
    data = b"%" + b"a" * (length - 1) + b"%41%4"
    assert url_unescape(data, encoding=None) == urllib.parse.unquote_to_bytes(data)


@given(st.text(max_size=40))
def test_url_escape_round_trip(text):
    for plus in (True, False):
        assert url_unescape(url_escape(text, plus), plus=plus) == text


@given(st.text(max_size=40))
def test_xhtml_escape_leaves_nothing_special(text):
    escaped = xhtml_escape(text)
    assert not set("<>\"'") & set(escaped)
    assert xhtml_unescape(escaped) == text


def test_url_unescape_to_bytes_takes_any_bytes():
    assert url_unescape(b"\xff%FF", encoding=None) == b"\xff\xff"


def test_json_encode_cannot_end_a_script():
    assert "</" not in json_encode({"</script>": ["</script>"]})


@pytest.mark.parametrize("length", range(20, 60))
def test_a_shortened_link_cuts_no_entity(length):
    shown = linkify("http://example.com/?" + "&" * length + "a", shorten=True).split(">")[1].split("<")[0]
    assert "&" not in shown.replace("&amp;", "")
    shown = linkify("http://" + "&" * length + "a/b", shorten=True).split(">")[1].split("<")[0]
    assert shown.endswith("&amp;...")
    assert "&" not in shown.replace("&amp;", "")


@given(st.text(alphabet="ahtpw.:/()&\"'<> -", max_size=60), st.booleans())
def test_linkify_adds_tags_and_changes_no_text(text, require):
    out = linkify(text, require_protocol=require)
    assert re.sub(r"</?a\b[^>]*>", "", out) == xhtml_escape(text)


def test_too_many_fields_are_refused_before_any_is_read():
    with pytest.raises(ValueError, match="4 in the query, 3 allowed"):
        parse_qs_bytes(b"&&&", max_num_fields=3)
    assert parse_qs_bytes(b"a=1&b=2&c=3", max_num_fields=3) == {"a": [b"1"], "b": [b"2"], "c": [b"3"]}
