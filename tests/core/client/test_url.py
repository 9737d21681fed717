"""URLs taken apart, one site remembered: what is remembered changes no answer."""

import pytest

from tests.core.wire.growth import assert_linear
from zonda._core.client.message import HTTPRequest, _RequestProxy, settled
from zonda._core.client.redirect import redirected
from zonda._core.client.url import Target, target_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a/b?c", Target("http", "a", 80, "a", "/b?c", None, "")),
        ("http://a", Target("http", "a", 80, "a", "/", None, "")),
        ("http://a?x/y", Target("http", "a", 80, "a", "/?x/y", None, "")),
        ("http://a/x?", Target("http", "a", 80, "a", "/x", None, "")),
        ("http://a/x#y/z", Target("http", "a", 80, "a", "/x", None, "")),
        ("http://a#y/z", Target("http", "a", 80, "a", "/", None, "")),
        ("HTTPS://A:8/x", Target("https", "a", 8, "A:8", "/x", None, "")),
        ("http://u%40:p@a/p@q", Target("http", "a", 80, "a", "/p@q", "u@", "p")),
        ("http://a//b//c", Target("http", "a", 80, "a", "//b//c", None, "")),
        ("http://a/b c\u00e4", Target("http", "a", 80, "a", "/b%20c%C3%A4", None, "")),
        ("http://a/b\r\nc", Target("http", "a", 80, "a", "/bc", None, "")),
        ("http://[::1]:8/x", Target("http", "::1", 8, "[::1]:8", "/x", None, "")),
    ],
)
def test_parts(url, expected):
    # Twice: the second time the site is a remembered one.
    assert target_of(url) == expected
    assert target_of(url) == expected


@pytest.mark.parametrize("url", ["ftp://a/b", "a/http://b/c", "/http://a/b", "http://a:99999/x", "://a", "a"])
def test_refused(url):
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Unsupported url scheme|Port out of range"):
            target_of(url)


def test_a_default_stands_only_where_the_request_says_nothing():
    request = HTTPRequest("http://a/", headers={"X": "said"}, body=b"said")
    client = {"headers": {"X": "default"}, "body": b"default", "user_agent": "default"}
    taken = settled(_RequestProxy(request, HTTPRequest._DEFAULTS | client))
    assert (taken.headers, taken.body, taken.user_agent) == ({"X": "said"}, b"said", "default")
    assert request.user_agent is None


@pytest.mark.parametrize("element", ["/..", "//", "a@", ":", "%", "?#", "é", "&a="])
def test_cost_of_a_url_and_of_a_location_is_linear(element):
    request = settled(HTTPRequest("http://a/"))
    assert_linear(lambda n: "http://a/" + element * n, target_of, 100)
    assert_linear(lambda n: "/" + element * n, lambda location: redirected(request, 302, location), 100)
