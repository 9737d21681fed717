"""Requests, good and bad, named by the section of RFC 9112 (or of the RFC named) that they are about.

`GOOD`: what they read as (`reading.short`).  `BAD`: what was read before the error, and its status last.
"""

HOST = b"Host: a\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def get(fields: bytes = b"", *, line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return get(fields, line=b"POST / HTTP/1.1") + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


GOOD: dict[str, tuple[bytes, list[object]]] = {
    "2.1-simple": (get(), ["GET /"]),
    "2.1-browser": (
        get(
            b"User-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: de,en;q=0.5\r\n"
            b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n"
        ),
        ["GET /"],
    ),
    "2.2-empty-lines-first": (b"\r\n\r\n\r\n" + get(), ["GET /"]),
    "2.2-empty-lines-between": (get() + b"\r\n\r\n" + NEXT, ["GET /", "GET /next"]),
    "2.2-nothing-but-empty-lines": (b"\r\n" * 5, []),
    "2.2-unfinished-head": (b"GET / HTTP/1.1\r\nHost: a\r\n", []),
    "2.3-http-1.0": (b"GET / HTTP/1.0\r\n\r\n", ["GET /"]),
    "2.3-http-1.0-then-more": (b"GET / HTTP/1.0\r\n\r\n" + NEXT, ["GET /"]),
    "2.3-http-1.0-keep-alive": (
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + NEXT,
        ["GET /", "GET /next"],
    ),
    "2.3-http-1.0-keep-alive-in-a-list": (
        b"GET / HTTP/1.0\r\nConnection: x ,\tKeep-Alive\r\n\r\n" + NEXT,
        ["GET /", "GET /next"],
    ),
    "3.1-method-of-an-application": (
        get(line=b"SUBSCRIBE-ALL /x HTTP/1.1") + NEXT,
        ["SUBSCRIBE-ALL /x", "GET /next"],
    ),
    "3.1-methods-are-case-sensitive": (get(line=b"get / HTTP/1.1"), ["get /"]),
    "3.1-method-with-body": (
        get(b"Content-Length: 2\r\n", line=b"PROPFIND / HTTP/1.1") + b"hi" + NEXT,
        ["PROPFIND /", b"hi", "end", "GET /next"],
    ),
    "3.1-method-with-odd-tokens": (get(line=b"!#$%&'*+-.^_`|~0a / HTTP/1.1"), ["!#$%&'*+-.^_`|~0a /"]),
    "3.2.1-origin-form": (get(line=b"GET /a/%2F/b;c?d=e&f=g HTTP/1.1"), ["GET /a/%2F/b;c?d=e&f=g"]),
    "3.2.1-two-slashes": (get(line=b"GET //evil.example/a HTTP/1.1"), ["GET //evil.example/a"]),
    "3.2.2-absolute-form": (get(line=b"GET http://b:8080/c?d HTTP/1.1"), ["GET /c?d"]),
    "3.2.2-absolute-form-without-path": (get(line=b"GET http://b HTTP/1.1"), ["GET /"]),
    "3.2.2-absolute-form-without-path-with-query": (get(line=b"GET http://b?c HTTP/1.1"), ["GET /?c"]),
    "3.2.2-absolute-form-of-https": (get(line=b"GET HTTPS://[::1]:1/c HTTP/1.1"), ["GET /c"]),
    "3.2.4-asterisk-form": (get(line=b"OPTIONS * HTTP/1.1"), ["OPTIONS *"]),
    "5-host-with-port": (get(host=b"Host: a.example:8080\r\n"), ["GET /"]),
    "5-host-is-ipv6": (get(host=b"Host: [::1]:8080\r\n"), ["GET /"]),
    "5-whitespace-around-value": (get(host=b"Host: \t a \t \r\n"), ["GET /"]),
    "5-empty-value": (get(b"X:\r\nY: \r\n"), ["GET /"]),
    "5.5-high-bytes-in-a-value": (get(b"X: \xc3\xa4\xff\r\n"), ["GET /"]),
    "6.2-content-length": (post(b"Content-Length: 5\r\n", b"hello"), ["POST /", b"hello", "end"]),
    "6.2-content-length-0": (post(b"Content-Length: 0\r\n") + NEXT, ["POST /", "GET /next"]),
    "6.2-content-length-with-zeros": (
        post(b"Content-Length: 005\r\n", b"hello"),
        ["POST /", b"hello", "end"],
    ),
    "6.2-get-with-a-body": (
        get(b"Content-Length: 3\r\n") + b"abc" + NEXT,
        ["GET /", b"abc", "end", "GET /next"],
    ),
    "6.2-head-with-a-body": (
        get(b"Content-Length: 3\r\n", line=b"HEAD / HTTP/1.1") + b"abc" + NEXT,
        ["HEAD /", b"abc", "end", "GET /next"],
    ),
    "6.2-body-like-a-request": (
        post(b"Content-Length: %d\r\n" % len(NEXT), NEXT) + NEXT,
        ["POST /", NEXT, "end", "GET /next"],
    ),
    "6.2-body-unfinished": (post(b"Content-Length: 5\r\n", b"hell"), ["POST /", b"hell"]),
    "6.2-body-in-http-1.0": (
        b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi" + NEXT,
        ["POST /", b"hi", "end"],
    ),
    "6.3-no-body-without-length": (post(b"") + NEXT, ["POST /", "GET /next"]),
    "7.1-chunked": (chunked(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), ["POST /", b"hello world", "end"]),
    "7.1-chunked-in-capitals": (
        post(b"TRANSFER-ENCODING: ChUnKeD\r\n", b"1\r\na\r\n0\r\n\r\n"),
        ["POST /", b"a", "end"],
    ),
    "7.1-empty": (chunked(b"0\r\n\r\n") + NEXT, ["POST /", "end", "GET /next"]),
    "7.1-hexadecimal-sizes": (
        chunked(b"a\r\n0123456789\r\n0B\r\n0123456789a\r\n000\r\n\r\n"),
        ["POST /", b"01234567890123456789a", "end"],
    ),
    "7.1-body-full-of-line-ends": (
        chunked(b"c\r\n" + b"\r\n" * 6 + b"\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n") + NEXT,
        ["POST /", b"\r\n" * 6 + b"0\r\n\r\n", "end", "GET /next"],
    ),
    "7.1-unfinished": (chunked(b"5\r\nhel"), ["POST /", b"hel"]),
    "7.1-pipelined": (chunked(b"1\r\na\r\n0\r\n\r\n") * 3, ["POST /", b"a", "end"] * 3),
    "7.1.1-chunk-extensions": (
        chunked(b'1;a\r\nx\r\n1;b=c;d="e f"\r\ny\r\n0;z\r\n\r\n') + NEXT,
        ["POST /", b"xy", "end", "GET /next"],
    ),
    "7.1.2-trailers": (
        chunked(b"1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n") + NEXT,
        ["POST /", b"x", "end", "GET /next"],
    ),
    "7.1.2-trailers-mean-nothing": (
        chunked(b"1\r\nx\r\n0\r\nConnection: close\r\nUpgrade: x\r\nExpect: 100-continue\r\n\r\n") + NEXT,
        ["POST /", b"x", "end", "GET /next"],
    ),
    "9.3-keep-alive": (get(b"Connection: Keep-Alive\r\n") + NEXT, ["GET /", "GET /next"]),
    "9.3.2-unfinished-post-behind-a-get": (
        get() + b"POST /b HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
        ["GET /", "POST /b"],
    ),
    "9.3.2-unfinished-chunked-post-behind-a-get": (get() + chunked(b""), ["GET /", "POST /"]),
    "9.3.2-unfinished-head-behind-a-get": (get() + b"GET / HTTP/1.1\r\n", ["GET /"]),
    "2.2-empty-lines-behind-a-get": (get() + b"\r\n\r\n\r\n", ["GET /"]),
    "6.2-get-with-content-length-0": (get(b"Content-Length: 0\r\n") + NEXT, ["GET /", "GET /next"]),
    "6.2-get-with-an-unfinished-body": (get(b"Content-Length: 5\r\n"), ["GET /"]),
    "9.3.2-pipelined": (get() * 3 + NEXT, ["GET /"] * 3 + ["GET /next"]),
    "9.6-close": (get(b"Connection: close\r\n") + NEXT, ["GET /"]),
    "9.6-close-then-bad-bytes": (get(b"Connection: CLOSE\r\n") + b"\0\n\0\n\n", ["GET /"]),
    "9.6-close-in-a-list": (get(b"Connection: keep-alive, close\r\n") + NEXT, ["GET /"]),
    "9.6-close-in-a-second-field": (get(b"Connection: a\r\nConnection: b, Close\r\n") + NEXT, ["GET /"]),
    "9.6-close-behind-a-body": (
        post(b"Connection: close\r\nContent-Length: 1\r\n", b"x") + NEXT,
        ["POST /", b"x", "end"],
    ),
    "9.6-close-and-upgrade": (get(b"Connection: close, upgrade\r\nUpgrade: x\r\n") + NEXT, ["GET /"]),
    "9.6-what-is-not-close": (get(b"Connection: closed, x close, ,\r\n") + NEXT, ["GET /", "GET /next"]),
    "9.6-proxy-connection-means-nothing": (
        get(b"Proxy-Connection: close\r\n") + NEXT,
        ["GET /", "GET /next"],
    ),
    "9.6-proxy-connection-in-http-1.0": (
        b"GET / HTTP/1.0\r\nProxy-Connection: close\r\nConnection: keep-alive\r\n\r\n" + NEXT,
        ["GET /", "GET /next"],
    ),
    "RFC9110-7.8-upgrade-nobody-takes": (
        get(b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + NEXT,
        ["GET /", "GET /next"],
    ),
    "RFC9110-7.8-upgrade-with-a-body": (
        post(b"Connection: x, upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n" % len(NEXT), NEXT)
        + NEXT,
        ["POST /", NEXT, "end", "GET /next"],
    ),
    "RFC9110-7.8-upgrade-with-a-chunked-body": (
        post(
            b"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT),
        )
        + NEXT,
        ["POST /", NEXT, "end", "GET /next"],
    ),
    "RFC9110-7.8-upgrade-without-connection": (get(b"Upgrade: h2c\r\n") + NEXT, ["GET /", "GET /next"]),
    "RFC9110-7.8-upgrade-in-http-1.0": (
        b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + NEXT,
        ["GET /"],
    ),
    "RFC9110-7.8-upgrade-in-http-1.0-kept-alive": (
        b"GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: x\r\n\r\n" + NEXT,
        ["GET /", "GET /next"],
    ),
    "RFC9110-10.1.1-expect": (
        post(b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"x"),
        ["POST /", b"x", "end"],
    ),
}

BAD: dict[str, tuple[bytes, list[object]]] = {
    "2.2-bare-lf-everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", [400]),
    "2.2-bare-lf-behind-the-request-line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", [400]),
    "2.2-bare-lf-behind-a-field": (get(b"X: y\nZ: w\r\n"), [400]),
    "2.2-bare-lf-at-the-end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", [400]),
    "2.2-bare-lf-before-a-second-request": (b"GET / HTTP/1.1\nHost: a\n\n" + NEXT, [400]),
    "2.2-bare-lf-behind-a-good-one": (get() + b"GET /b HTTP/1.1\nHost: a\n\n" + NEXT, ["GET /", 400]),
    "2.2-lf-behind-empty-lines": (get() + b"\r\n\r\n\n\r\n\r\n", ["GET /", 400]),
    "2.2-lf-behind-a-get": (get() + b"\n\r\n\r\n", ["GET /", 400]),
    "2.2-lfs-behind-a-get": (get() + b"\n\n\r\n\r\n", ["GET /", 400]),
    "2.2-lf-between-requests": (get() + b"\n" + NEXT, ["GET /", 400]),
    "2.2-bare-cr-in-a-value": (get(b"X: a\rb\r\n"), [400]),
    "2.2-bare-cr-before-the-line-end": (get(b"X: a\r\r\n"), [400]),
    "2.2-bare-cr-in-the-request-line": (get(line=b"GET /\r HTTP/1.1"), [400]),
    "2.2-nul-in-a-value": (get(b"X: a\0b\r\n"), [400]),
    "2.2-nul-in-a-name": (get(b"X\0: a\r\n"), [400]),
    "2.2-nul-in-the-target": (get(line=b"GET /\0 HTTP/1.1"), [400]),
    "2.2-control-byte-in-a-value": (get(b"X: a\x01\r\n"), [400]),
    "2.2-delete-in-a-value": (get(b"X: a\x7f\r\n"), [400]),
    "2.2-whitespace-before-the-first-field": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", [400]),
    "2.3-http-0.9": (b"GET /\r\n\r\n", [400]),
    "2.3-http-0.9-version-in-field": (b"GET /x\r\nHost: HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "2.3-http-0.9-bare-lf": (b"GET /x\nHost: HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "2.3-http-0.9-named": (get(line=b"GET / HTTP/0.9"), [400]),
    "2.3-http-1.2": (get(line=b"GET / HTTP/1.2"), [400]),
    "2.3-http-2.0": (get(line=b"GET / HTTP/2.0"), [400]),
    "2.3-http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "2.3-http-11": (get(line=b"GET / HTTP/11"), [400]),
    "2.3-lower-case": (get(line=b"GET / http/1.1"), [400]),
    "2.3-rtsp": (get(line=b"DESCRIBE / RTSP/1.0"), [400]),
    "2.3-icy": (get(line=b"SOURCE / ICE/1.0"), [400]),
    "3-empty-line": (b"\n\r\n", [400]),
    "3-not-http": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", [400]),
    "3-two-spaces": (get(line=b"GET  / HTTP/1.1"), [400]),
    "3-two-spaces-later": (get(line=b"GET /  HTTP/1.1"), [400]),
    "3-no-target": (get(line=b"GET  HTTP/1.1"), [400]),
    "3-no-target-of-an-unknown-method": (get(line=b"BREW  HTTP/1.1"), [400]),
    "3-tab": (get(line=b"GET\t/ HTTP/1.1"), [400]),
    "3-space-first": (get(line=b" GET / HTTP/1.1"), [400]),
    "3-space-last": (get(line=b"GET / HTTP/1.1 "), [400]),
    "3-space-in-target": (get(line=b"GET /a b HTTP/1.1"), [400]),
    "3.1-method-is-no-token": (get(line=b"G(T / HTTP/1.1"), [400]),
    "3.1-method-is-not-ascii": (get(line=b"G\xc3\x84T / HTTP/1.1"), [400]),
    "3.1-connect": (get(line=b"CONNECT a:443 HTTP/1.1"), [400]),
    "3.2.1-high-bytes": (get(line=b"GET /\xff HTTP/1.1"), [400]),
    "3.2.1-no-slash": (get(line=b"GET a/b HTTP/1.1"), [400]),
    "3.2.2-other-scheme": (get(line=b"GET ftp://a/ HTTP/1.1"), [400]),
    "3.2.2-no-host": (get(line=b"GET http:///a HTTP/1.1"), [400]),
    "3.2.2-userinfo": (get(line=b"GET http://b@a/ HTTP/1.1"), [400]),
    "3.2.2-bad-host": (get(line=b"GET http://[::1/ HTTP/1.1"), [400]),
    "3.2.2-bad-port": (get(line=b"GET http://a:1:2/ HTTP/1.1"), [400]),
    "3.2.2-missing-host-field": (get(line=b"GET http://a/ HTTP/1.1", host=b""), [400]),
    "3.2.4-asterisk-with-get": (get(line=b"GET * HTTP/1.1"), [400]),
    "3.2-missing-host": (get(host=b""), [400]),
    "3.2-missing-host-with-fields": (get(b"X-Host: a\r\n", host=b""), [400]),
    "3.2-two-hosts": (get(b"Host: b\r\n"), [400]),
    "3.2-the-same-host-twice": (get(b"hOST: a\r\n"), [400]),
    "3.2-two-hosts-in-http-1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", [400]),
    "3.2-a-list-of-hosts": (get(host=b"Host: a, b\r\n"), [400]),
    "3.2-open-bracket": (get(host=b"Host: [::1\r\n"), [400]),
    "3.2-no-address-in-brackets": (get(host=b"Host: [zz]\r\n"), [400]),
    "3.2-port-is-no-number": (get(host=b"Host: a:8x\r\n"), [400]),
    "3.2-two-ports": (get(host=b"Host: a:1:2\r\n"), [400]),
    "3.2-host-with-a-path": (get(host=b"Host: a/b\r\n"), [400]),
    "3.2-host-with-a-space": (get(host=b"Host: a b\r\n"), [400]),
    "3.2-host-with-userinfo": (get(host=b"Host: b@a\r\n"), [400]),
    "3.2-host-is-not-ascii": (get(host=b"Host: \xc3\xa4\r\n"), [400]),
    "5-no-colon": (get(b"nonsense\r\n"), [400]),
    "5-no-name": (get(b": a\r\n"), [400]),
    "5-name-is-no-token": (get(b"X(Y): a\r\n"), [400]),
    "5-name-is-not-ascii": (get(b"X\xe4: a\r\n"), [400]),
    "5.1-space-before-the-colon": (get(b"X : a\r\n"), [400]),
    "5.1-tab-before-the-colon": (get(b"X\t: a\r\n"), [400]),
    "5.1-space-before-the-colon-of-content-length": (post(b"Content-Length : 5\r\n", b"hello"), [400]),
    "5.1-space-before-the-colon-of-transfer-encoding": (
        post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
        [400],
    ),
    "5.2-obs-fold": (get(b"X: a\r\n b\r\n"), [400]),
    "5.2-obs-fold-with-a-tab": (get(b"X: a\r\n\tb\r\n"), [400]),
    "5.2-obs-fold-of-host": (get(host=b"Host:\r\n a\r\n"), [400]),
    "5.2-obs-fold-of-transfer-encoding": (post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), [400]),
    "5.2-obs-fold-of-connection": (get(b"Connection: keep-alive,\r\n close\r\n"), [400]),
    "6.1-with-content-length": (
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
        [400],
    ),
    "6.1-behind-content-length": (
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        [400],
    ),
    "6.1-in-http-1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "6.1-in-http-1.0-kept-alive": (
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
        [400],
    ),
    **{
        f"6.1-{name}": (post(b"Transfer-Encoding:" + value + b"\r\n", b"1\r\na\r\n0\r\n\r\n"), [400])
        for name, value in {
            "identity": b" identity",
            "gzip": b" gzip",
            "gzip-chunked": b" gzip, chunked",
            "chunked-gzip": b" chunked, gzip",
            "chunked-twice": b" chunked, chunked",
            "chunked-in-two-fields": b" chunked\r\nTransfer-Encoding: chunked",
            "identity-in-a-second-field": b" chunked\r\nTransfer-Encoding: identity",
            "nothing": b"",
            "comma": b" ,chunked",
            "comma-behind": b" chunked,",
            "quoted": b' "chunked"',
            "parameter": b" chunked;q=1",
            "vertical-tab": b" \x0bchunked",
            "with-a-space": b" chun ked",
            "misspelt": b" xchunked",
            "high-byte": b" chunked\xa0",
        }.items()
    },
    **{
        f"6.2-content-length-{name}": (post(b"Content-Length:" + value + b"\r\n", b"hello"), [400])
        for name, value in {
            "plus": b" +5",
            "minus": b" -5",
            "hexadecimal": b" 0x5",
            "underscore": b" 0_5",
            "point": b" 5.0",
            "space": b" 5 5",
            "nothing": b"",
            "letters": b" five",
            "arabic-digits": b" \xd9\xa5",
            "superscript": b" \xb2",
            "list": b" 5, 5",
            "unequal-list": b" 5, 6",
            "empty-list": b" ,",
            "twice": b" 5\r\nContent-Length: 5",
            "twice-unequal": b" 5\r\nContent-Length: 6",
            "twice-in-other-case": b" 5\r\ncontent-length: 0",
            "too-many-digits": b" 99999999999999999999",
            "huge": b" " + b"9" * 5000,
        }.items()
    },
    **{
        f"6.2-get-with-content-length-{name}": (get(b"Content-Length:" + value + b"\r\n"), [400])
        for name, value in {
            "plus": b" +0",
            "list": b" 0, 0",
            "twice": b" 0\r\nContent-Length: 0",
            "nothing": b"",
            "hexadecimal": b" 0x0",
            "and-chunked": b" 0\r\nTransfer-Encoding: chunked",
            "and-identity": b" 0\r\nTransfer-Encoding: identity",
        }.items()
    },
    "6.1-get-with-identity": (get(b"Transfer-Encoding: identity\r\n"), [400]),
    "6.1-get-with-gzip": (get(b"Transfer-Encoding: gzip\r\n"), [400]),
    "6.1-get-with-nothing": (get(b"Transfer-Encoding:\r\n"), [400]),
    "6.3-content-length-past-the-limit": (post(b"Content-Length: 104857601\r\n", b"hello"), ["POST /", 400]),
    **{
        f"7.1-{name}": (chunked(body), ["POST /", *before, 400])
        for name, (body, before) in {
            "no-size": (b"\r\n\r\n", []),
            "size-with-plus": (b"+5\r\nhello\r\n0\r\n\r\n", []),
            "size-with-minus": (b"-5\r\nhello\r\n0\r\n\r\n", []),
            "size-with-0x": (b"0x5\r\nhello\r\n0\r\n\r\n", []),
            "size-with-underscore": (b"1_0\r\nhello\r\n0\r\n\r\n", []),
            "size-with-a-space-first": (b" 5\r\nhello\r\n0\r\n\r\n", []),
            "size-with-a-space": (b"5 \r\nhello\r\n0\r\n\r\n", []),
            "size-with-a-tab": (b"5\t\r\nhello\r\n0\r\n\r\n", []),
            "size-too-large": (b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", []),
            "size-is-no-number": (b"hello\r\n0\r\n\r\n", []),
            "lf-behind-the-size": (b"5\nhello\r\n0\r\n\r\n", []),
            "cr-behind-the-size": (b"5\rhello\r\n0\r\n\r\n", []),
            "lf-behind-the-data": (b"5\r\nhello\n0\r\n\r\n", [b"hello"]),
            "cr-behind-the-data": (b"5\r\nhello\r0\r\n\r\n", [b"hello"]),
            "data-too-long": (b"5\r\nhelloX\r\n0\r\n\r\n", [b"hello"]),
            "data-too-short": (b"6\r\nhello\r\n0\r\n\r\n", [b"hello\r"]),
            "lf-behind-the-last": (b"1\r\na\r\n0\n\r\n", [b"a"]),
            "lf-at-the-end": (b"1\r\na\r\n0\r\n\n", [b"a"]),
            "no-empty-line-at-the-end": (b"1\r\na\r\n0\r\n" + NEXT, [b"a"]),
        }.items()
    },
    **{
        f"7.1.1-extension-{name}": (chunked(body), ["POST /", 400])
        for name, body in {
            "with-nul": b"1;a\0\r\nx\r\n0\r\n\r\n",
            "with-bare-cr": b"1;a\rb\r\nx\r\n0\r\n\r\n",
            "with-bare-lf": b"1;a\nx\r\n0\r\n\r\n",
            "behind-a-space": b"1 ;a\r\nx\r\n0\r\n\r\n",
            "with-an-open-quote": b'1;a="\r\nx\r\n0\r\n\r\n',
            "with-high-bytes": b"1;\xff\r\nx\r\n0\r\n\r\n",
        }.items()
    },
    **{
        f"7.1.2-trailer-{name}": (chunked(b"1\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n"), ["POST /", b"x", 400])
        for name, trailer in {
            "without-colon": b"nonsense",
            "with-a-space-before-the-colon": b"X : y",
            "folded": b"X: a\r\n b",
            "with-nul": b"X: \0",
            "with-bare-lf": b"X: a\nY: b",
            "content-length": b"Content-Length: 5",
            "transfer-encoding": b"Transfer-Encoding: chunked",
        }.items()
    },
    "9.3.2-bad-bytes-behind-a-good-one": (get() + b"\0\0\r\n\r\n", ["GET /", 400]),
    "9.3.2-bad-one-between-good-ones": (get() + get(host=b"") + NEXT, ["GET /", 400]),
    "9.3.2-bad-bytes-behind-a-body": (
        post(b"Content-Length: 1\r\n", b"xy\r\n\r\n"),
        ["POST /", b"x", "end", 400],
    ),
}
