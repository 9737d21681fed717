"""What applications written for Tornado import from it is there under the alias."""

import json
import subprocess
import sys

import pytest

from tests.architecture.test_exports import NOT_BUILT

#: Modules, and the names in them that the application's code says: taken once from its wheel on PyPI.
#: Left out are names for Tornados of long ago, and the options that flower itself defines.
APPLICATIONS = {
    "bokeh 3.9.2": {
        "tornado": "version",
        "tornado.autoreload": "watch",
        "tornado.gen": "Future convert_yielded multi",
        "tornado.httpclient": "HTTPClientError HTTPRequest",
        "tornado.httpserver": "HTTPServer",
        "tornado.httputil": "HTTPServerRequest",
        "tornado.ioloop": "IOLoop.current PeriodicCallback",
        "tornado.locks": "Lock",
        "tornado.netutil": "bind_sockets bind_unix_socket",
        "tornado.web": "Application HTTPError RequestHandler StaticFileHandler.get_version authenticated",
        "tornado.websocket": (
            "WebSocketClientConnection WebSocketClosedError WebSocketError WebSocketHandler websocket_connect"
        ),
    },
    "distributed 2026.8.0": {
        "tornado.concurrent": "Future",
        "tornado.escape": "url_escape url_unescape",
        "tornado.gen": "Future Return TimeoutError WaitIterator coroutine is_coroutine_function moment",
        "tornado.httpclient": "AsyncHTTPClient HTTPClientError HTTPRequest",
        "tornado.httpserver": "HTTPServer",
        "tornado.httputil": "HTTPServerRequest",
        "tornado.ioloop": "IOLoop.current PeriodicCallback TimeoutError",
        "tornado.iostream": "IOStream StreamClosedError",
        "tornado.locks": "Event",
        "tornado.netutil": "Resolver bind_sockets",
        "tornado.routing": "PathMatches RuleRouter",
        "tornado.tcpclient": "TCPClient",
        "tornado.tcpserver": "TCPServer",
        "tornado.web": (
            "Application ErrorHandler RedirectHandler RequestHandler StaticFileHandler authenticated"
        ),
        "tornado.websocket": (
            "WebSocketClientConnection.parsed WebSocketClosedError WebSocketHandler websocket_connect"
        ),
    },
    "flower 2.2.0": {
        "tornado": "version",
        "tornado.auth": "AuthError GoogleOAuth2Mixin OAuth2Mixin",
        "tornado.escape": "json_decode xhtml_escape",
        "tornado.httpclient": "AsyncHTTPClient HTTPError",
        "tornado.httpserver": "HTTPServer",
        "tornado.ioloop": "IOLoop.instance PeriodicCallback",
        "tornado.log": "enable_pretty_logging",
        "tornado.netutil": "bind_sockets bind_unix_socket",
        "tornado.options": "define options._options options.logging parse_command_line parse_config_file",
        "tornado.web": "Application HTTPError RequestHandler StaticFileHandler authenticated url",
    },
    "ipykernel 7.4.0": {
        "tornado.ioloop": "IOLoop.current",
        "tornado.locks": "Event",
        "tornado.queues": "Queue",
    },
    "jupyter_server 2.21.1": {
        "tornado": "version_info",
        "tornado.concurrent": "Future",
        "tornado.escape": "json_decode json_encode native_str url_escape utf8",
        "tornado.gen": "multi",
        "tornado.httpclient": (
            "AsyncHTTPClient.configure HTTPClient HTTPClientError HTTPRequest HTTPResponse"
        ),
        "tornado.httpserver": "HTTPServer",
        "tornado.httputil": "HTTPHeaders format_timestamp url_concat",
        "tornado.ioloop": "IOLoop.current PeriodicCallback",
        "tornado.iostream": "IOStream",
        "tornado.log": "LogFormatter access_log app_log gen_log",
        "tornado.netutil": "Resolver bind_sockets bind_unix_socket",
        "tornado.routing": "Matcher Rule",
        "tornado.web": (
            "Application HTTPError RedirectHandler RequestHandler._unimplemented_method "
            "StaticFileHandler.get StaticFileHandler.initialize authenticated"
        ),
        "tornado.websocket": (
            "WebSocketClientConnection WebSocketClosedError WebSocketHandler websocket_connect"
        ),
    },
    "jupyterhub 6.1.1": {
        "tornado.concurrent": "run_on_executor",
        "tornado.escape": "url_escape",
        "tornado.gen": "coroutine sleep",
        "tornado.httpclient": "AsyncHTTPClient.configure HTTPError",
        "tornado.httpserver": "HTTPRequest HTTPServer",
        "tornado.httputil": "HTTPHeaders url_concat urlencode",
        "tornado.ioloop": "IOLoop.current IOLoop.instance PeriodicCallback",
        "tornado.iostream": "StreamClosedError",
        "tornado.log": "LogFormatter access_log app_log enable_pretty_logging gen_log",
        "tornado.netutil": "bind_unix_socket",
        "tornado.options": "options.logging parse_command_line",
        "tornado.platform.asyncio": "AsyncIOMainLoop",
        "tornado.web": (
            "Application Finish HTTPError RequestHandler.set_default_headers StaticFileHandler addslash "
            "authenticated decode_signed_value"
        ),
        "tornado.websocket": "WebSocketHandler",
    },
    "pyzmq 27.3.0": {
        "tornado": "version_info",
        "tornado.concurrent": "Future",
        "tornado.ioloop": "IOLoop.READ IOLoop.WRITE IOLoop.configure IOLoop.current IOLoop.instance",
        "tornado.log": "gen_log",
        "tornado.platform.asyncio": "AddThreadSelectorEventLoop",
    },
    "terminado 0.18.1": {
        "tornado.concurrent": "run_on_executor",
        "tornado.gen": "coroutine",
        "tornado.ioloop": "IOLoop.current",
        "tornado.web": "UIModule",
        "tornado.websocket": "WebSocketHandler",
    },
}

LOOK = """
import importlib, json, sys
import zonda
zonda.install_as_tornado()
missing = []
for module, names in json.load(sys.stdin):
    try:
        found = importlib.import_module(module)
    except ImportError:
        missing.append(module)
        continue
    for name in names.split():
        value = found
        for part in name.split("."):
            if not hasattr(value, part):
                missing.append(f"{module}: {name}")
                break
            value = getattr(value, part)
print(json.dumps(missing))
"""


def missing(modules: dict[str, str]) -> list[str]:
    given = json.dumps(list(modules.items()))
    done = subprocess.run(
        [sys.executable, "-c", LOOK], input=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_what_it_imports_is_there(application):
    modules = APPLICATIONS[application]
    later = [module for module in modules if module.removeprefix("tornado.") in NOT_BUILT]
    assert missing(modules) == later


def test_what_is_missing_is_found():
    modules = {"tornado.web": "Application Nosuch RequestHandler.nosuch", "tornado.nosuch": "x"}
    assert missing(modules) == ["tornado.web: Nosuch", "tornado.web: RequestHandler.nosuch", "tornado.nosuch"]
