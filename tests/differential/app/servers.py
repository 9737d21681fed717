"""The servers: one application with every handler, and a few that a setting makes different."""

from pathlib import Path
from typing import Any

import answers
import arguments
import errors
import pages
import routes
import signs
import streams
from package import httpserver, httputil, routing, web
from records import Records, RecordsHandler, TurnHandler

SECRET = "it-is-a-secret"


class ProbeHandler(web.RequestHandler):
    """What a client asks to learn whether a connection goes on."""

    def get(self) -> None:
        self.write("probe")


def callback(request: Any) -> None:
    """An application that is a function, as `HTTPServer` takes it."""
    if request.path == "/late":
        request.connection.write_headers(
            httputil.ResponseStartLine("", 200, "OK"), httputil.HTTPHeaders({"Transfer-Encoding": "chunked"})
        )
        request.connection.write(b"5\r\nhello\r\n0\r\n\r\n")
        request.connection.finish()
        return
    body = (
        b"probe" if request.path == "/probe" else f"{request.method} {request.uri} {request.body!r}".encode()
    )
    request.connection.write_headers(
        httputil.ResponseStartLine("", 200, "Fine"),
        httputil.HTTPHeaders({"Content-Length": str(len(body)), "X-Callback": "yes"}),
        body,
    )
    request.connection.finish()


def make_servers(files: Path, records: Records) -> dict[str, Any]:
    everything = [
        (r"/probe", ProbeHandler),
        *arguments.ROUTES,
        *answers.ROUTES,
        *errors.routes(records),
        *pages.routes(files),
        *signs.ROUTES,
        *streams.routes(records),
        *routes.ROUTES,
    ]
    settings = {
        "cookie_secret": SECRET,
        "static_path": str(files / "static"),
        "template_path": str(files / "templates"),
        "login_url": "/login",
        "ui_modules": pages.MODULES,
        "ui_methods": pages.METHODS,
    }

    def application(**more: Any) -> Any:
        return web.Application(everything, **{**settings, **more})

    def log(handler: Any) -> None:
        status, request = handler.get_status(), handler.request
        records.note(f"{status} {request.method} {request.uri} {type(handler).__name__}")

    main = application()
    routes.add_hosts(main)
    server = httpserver.HTTPServer
    keys = {1: "first-secret", 2: "second-secret"}
    return {
        "records": server(
            web.Application(
                [(r"/", RecordsHandler, {"records": records}), (r"/turn", TurnHandler)],
                log_function=lambda _: None,
            )
        ),
        "main": server(main),
        "gzip": server(application(compress_response=True)),
        "xsrf": server(application(xsrf_cookies=True)),
        "xsrf1": server(
            application(
                xsrf_cookies=True,
                xsrf_cookie_version=1,
                xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
            )
        ),
        "xsrfname": server(application(xsrf_cookies=True, xsrf_cookie_name="__Host-x")),
        "origin": server(application(**signs.ORIGIN_SETTINGS)),
        "proxy": server(main, xheaders=True, trusted_downstream=["10.0.0.1", "10.0.0.2"]),
        "https": server(main, xheaders=True, protocol="https"),
        "inflate": server(main, decompress_request=True, max_body_size=100_000),
        "small": server(main, max_header_size=1024, max_body_size=1000),
        "once": server(main, no_keep_alive=True),
        "debug": server(application(serve_traceback=True)),
        "keys": server(application(cookie_secret=keys, key_version=2)),
        "nosecret": server(application(cookie_secret=None)),
        "logged": server(application(log_function=log)),
        "callback": server(callback),
        "notfound": server(
            application(
                default_handler_class=errors.NotFoundHandler, default_handler_args={"text": "nothing here"}
            )
        ),
        "hosted": server(routes.hosted_application(settings)),
        "router": server(routes.router(main, routing)),
        "prefixed": server(
            application(static_url_prefix="/files/", static_handler_args={"default_filename": "index.html"})
        ),
    }
