"""What is raised, and where."""

import asyncio
from typing import Any, ClassVar

from package import RequestHandler, gen, web
from records import Records

RAISE = {
    "plain": lambda: RuntimeError("broken"),
    "http": lambda: web.HTTPError(403),
    "http500": lambda: web.HTTPError(),
    "reason": lambda: web.HTTPError(403, reason="Not For You"),
    "message": lambda: web.HTTPError(404, "no %s at %d", "thing", 7),
    "percent": lambda: web.HTTPError(404, "100% wrong"),
    "percent_args": lambda: web.HTTPError(404, "%s %s", "one"),
    "message_reason": lambda: web.HTTPError(409, "log %s", "this", reason="Told"),
    "unknown": lambda: web.HTTPError(599),
    "unknown_reason": lambda: web.HTTPError(599, reason="Mine"),
    "evil_reason": lambda: web.HTTPError(400, reason="a\r\nX-Evil: 1"),
    "evil_message": lambda: web.HTTPError(400, "a\r\nfaked line \x1b[31m"),
    "teapot": lambda: web.HTTPError(418),
    "no_content": lambda: web.HTTPError(204),
    "not_modified": lambda: web.HTTPError(304),
    "ok": lambda: web.HTTPError(200),
    "missing": lambda: web.MissingArgumentError("name"),
    "finish": lambda: web.Finish(),
    "finish_body": lambda: web.Finish("the end"),
    "finish_dict": lambda: web.Finish({"the": "end"}),
    "key": lambda: KeyError("k"),
    "unicode": lambda: RuntimeError("\u2603"),
    "base": lambda: ValueError(),
}


class RaiseHandler(RequestHandler):
    """`/raise/WHERE/WHAT`."""

    def fail(self, here: str) -> None:
        where, what = self.request.path.split("/")[2:4]
        if where == here:
            raise RAISE[what]()

    def initialize(self) -> None:
        self.fail("initialize")

    def set_default_headers(self) -> None:
        self.fail("set_default_headers")

    def prepare(self) -> None:
        self.fail("prepare")

    def get(self, where: str, what: str) -> None:
        self.set_header("X-Kept", "no")
        self.set_status(202)
        self.write("before")
        if where == "flushed":
            self.flush()
        if where in ("write_error", "log_exception"):
            raise web.HTTPError(403)
        if where == "on_finish":
            return
        self.fail("get")
        self.fail("flushed")
        if where == "finished":
            self.finish()
        self.fail("finished")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.fail("write_error")
        super().write_error(status_code, **kwargs)

    def log_exception(self, *args: Any) -> None:
        self.fail("log_exception")
        super().log_exception(*args)

    def on_finish(self) -> None:
        self.fail("on_finish")

    head = post = get


class RaiseLaterHandler(RequestHandler):
    """The same from coroutines: `/raiselater/WHERE/WHAT`."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        if self.path_args[0] == "prepare":
            raise RAISE[self.path_args[1]]()

    async def get(self, where: str, what: str) -> None:
        self.write("before")
        if where == "flushed":
            await self.flush()
        await asyncio.sleep(0)
        if where == "finished":
            self.finish()
        if where == "write_error":
            raise web.HTTPError(403)
        raise RAISE[what]()

    @gen.coroutine
    def post(self, where: str, what: str) -> Any:
        yield gen.moment
        raise RAISE[what]()


class OwnErrorHandler(RequestHandler):
    """Error pages of its own: `/ownerror/HOW`."""

    def get(self, how: str) -> None:
        if how == "plain":
            raise RuntimeError("broken")
        if how == "error":
            self.send_error(409, extra="more")
        else:
            raise web.HTTPError(404, "no %s", how, reason="Nowhere")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.pop("exc_info", (None, None, None))[1]
        self.write({"status": status_code, "reason": self._reason, "error": repr(error), "kwargs": kwargs})


class AsyncErrorHandler(RequestHandler):
    def get(self) -> None:
        raise web.HTTPError(400)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_status(503, "Rewritten")
        self.set_header("Retry-After", "5")
        self.finish(f"was {status_code}")


class PrepareFinishHandler(RequestHandler):
    def prepare(self) -> None:
        self.finish("prepared")

    def get(self) -> None:
        self.write("never")

    post = get


class NotFoundHandler(RequestHandler):
    def initialize(self, text: str) -> None:
        self.text = text

    def prepare(self) -> None:
        self.set_status(404)
        self.finish(self.text)


class UnfinishedHandler(RequestHandler):
    """Returns what it should not."""

    RESULTS: ClassVar[dict[str, Any]] = {"text": "text", "number": 1, "none": None, "dict": {"a": 1}}

    def get(self, what: str) -> Any:
        return self.RESULTS[what]


class PathArgsHandler(RequestHandler):
    """Takes fewer arguments than its pattern has groups."""

    def get(self) -> None:
        self.write("never")


def routes(records: Records) -> list[Any]:
    class HooksHandler(RequestHandler):
        """Notes the order in which its hooks are called."""

        def initialize(self) -> None:
            records.note("initialize")

        def set_default_headers(self) -> None:
            records.note("set_default_headers")

        def prepare(self) -> None:
            records.note("prepare")

        def get(self, how: str) -> None:
            records.note("get")
            if how == "fail":
                raise RuntimeError("broken")
            if how == "error":
                raise web.HTTPError(400)
            if how == "flush":
                self.flush()

        head = get

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            records.note(f"write_error {status_code} {sorted(kwargs)}")

        def compute_etag(self) -> None:
            records.note("compute_etag")

        def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
            records.note(f"log_exception {typ.__name__} {value}")

        def on_finish(self) -> None:
            records.note(f"on_finish {self.get_status()}")

    return [
        (r"/raise/(\w+)/(\w+)", RaiseHandler),
        (r"/raiselater/(\w+)/(\w+)", RaiseLaterHandler),
        (r"/ownerror/(\w+)", OwnErrorHandler),
        (r"/rewritten", AsyncErrorHandler),
        (r"/preparefinish", PrepareFinishHandler),
        (r"/unfinished/(\w+)", UnfinishedHandler),
        (r"/pathargs/(.*)", PathArgsHandler),
        (r"/hooks/(\w+)", HooksHandler),
    ]
