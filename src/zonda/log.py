"""Logging: the three loggers, a formatter with colours, and the options that switch them on.

Source: Tornado documentation, page `log`.  Nothing here touches the logging configuration until
`enable_pretty_logging` is called, which the final parse of `zonda.options` does.
"""

import logging
import sys
from typing import Any, Literal

from zonda._core.base.option_parser import options as global_options

try:
    import colorama  # type: ignore[import-not-found, import-untyped, unused-ignore]
except ImportError:
    colorama = None

__all__ = ["LogFormatter", "define_logging_options", "enable_pretty_logging"]

#: One line for each request served.
access_log = logging.getLogger("zonda.access")
#: Errors of application code.
app_log = logging.getLogger("zonda.application")
#: Everything else: the server's and the client's own warnings and errors.
gen_log = logging.getLogger("zonda.general")


def safe_text(value: str | bytes) -> str:
    """Text of a peer's, fit for a log line: whatever does not print is escaped as in a Python literal.

    Line ends, terminal sequences and directional marks would let a client forge lines or drive the
    terminal of whoever reads them (CVE-2020-7694).
    """
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode() for c in text])


def _curses() -> Any:
    """What knows terminals; None on Windows.  Imported here, since servers mostly have none."""
    try:
        import curses
    except ImportError:
        return None
    return curses


def _stderr_takes_colors() -> bool:
    try:
        if not sys.stderr.isatty():
            return False
        curses = _curses()
        if curses is not None:
            curses.setupterm()
            return bool(curses.tigetnum("colors") > 0)
        # Windows: colours work once the application has called colorama.init().
        return colorama is not None and sys.stderr is getattr(colorama.initialise, "wrapped_stderr", object())
    except Exception:
        # No terminal description, no stderr, a stand-in for it: all mean that colours are a risk.
        return False


class LogFormatter(logging.Formatter):
    """Formats `[E 240131 10:20:30 module:7] message`, the bracket coloured if stderr is a terminal.

    Further lines of a message or a traceback are indented by four.  `color`: whether to use colours at all;
    `colors`: logging level to terminal colour number (0-7); `fmt` may use `%(color)s` and `%(end_color)s`.
    """

    DEFAULT_FORMAT = "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"
    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_COLORS = {  # noqa: RUF012 (Tornado's name; a plain dict, as it was)
        logging.DEBUG: 4,
        logging.INFO: 2,
        logging.WARNING: 3,
        logging.ERROR: 1,
        logging.CRITICAL: 5,
    }

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str = DEFAULT_DATE_FORMAT,
        style: Literal["%", "{", "$"] = "%",
        color: bool = True,
        colors: dict[int, int] = DEFAULT_COLORS,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate=False)
        self._colors: dict[int, str] = {}
        self._normal = ""
        if not (color and _stderr_takes_colors()):
            return
        curses = _curses()
        if curses is None:
            self._colors = {level: f"\033[2;3{code}m" for level, code in colors.items()}
            self._normal = "\033[0m"
        else:
            foreground = curses.tigetstr("setaf") or curses.tigetstr("setf") or b""
            for level, code in colors.items():
                self._colors[level] = curses.tparm(foreground, code).decode("ascii")
            self._normal = (curses.tigetstr("sgr0") or b"").decode("ascii")

    def format(self, record: Any) -> str:
        try:
            record.message = record.getMessage()
        except Exception as error:
            # A wrong logging call must not end the request that made it.
            record.message = f"Bad message ({error!r}): {record.__dict__!r}"
        record.asctime = self.formatTime(record, self.datefmt)
        record.color = self._colors.get(record.levelno, "")
        record.end_color = self._normal if record.color else ""
        text = self.formatMessage(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = f"{text.rstrip()}\n{record.exc_text}"
        return text.replace("\n", "\n    ")


def enable_pretty_logging(options: Any = None, logger: logging.Logger | None = None) -> None:
    """Sets level and handlers of `logger` (the root logger) as the logging options say.

    Does nothing if the option `logging` is None or "none".  Raises ValueError for a level or a
    rotation mode that does not exist.
    """
    options = global_options if options is None else options
    if options.logging is None or options.logging.lower() == "none":
        return
    logger = logging.getLogger() if logger is None else logger
    logger.setLevel(options.logging.upper())
    if options.log_file_prefix:
        _add(logger, _file_handler(options), LogFormatter(color=False))
    if options.log_to_stderr or (options.log_to_stderr is None and not logger.handlers):
        _add(logger, logging.StreamHandler(), LogFormatter())


def _add(logger: logging.Logger, handler: logging.Handler, formatter: logging.Formatter) -> None:
    handler.setFormatter(formatter)
    logger.addHandler(handler)


def _file_handler(options: Any) -> logging.Handler:
    import logging.handlers  # with pickle, sockets and a queue: many programs have no log file

    if options.log_rotate_mode == "size":
        return logging.handlers.RotatingFileHandler(
            filename=options.log_file_prefix,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    if options.log_rotate_mode == "time":
        return logging.handlers.TimedRotatingFileHandler(
            filename=options.log_file_prefix,
            when=options.log_rotate_when,
            interval=options.log_rotate_interval,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    raise ValueError(f'log_rotate_mode is {options.log_rotate_mode!r}, allowed are "size" and "time"')


def define_logging_options(options: Any = None) -> None:
    """Defines the logging options on `options`, and sets logging up after its final parse.

    The global `zonda.options.options` has them already.
    """
    options = global_options if options is None else options
    options.define(
        "logging",
        default="info",
        metavar="debug|info|warning|error|none",
        help="Level from which log lines are written; 'none' leaves Python's logging configuration alone.",
    )
    options.define(
        "log_to_stderr",
        type=bool,
        default=None,
        help="Write the log to stderr, in colours where possible."
        " By default it goes there if there is neither --log-file-prefix nor a handler.",
    )
    options.define(
        "log_file_prefix",
        type=str,
        default=None,
        metavar="PATH",
        help="Path of the log file, and of the older ones with a suffix."
        " Each process needs a path of its own, for example with its port in it.",
    )
    options.define(
        "log_file_max_size", type=int, default=100 * 1000 * 1000, help="Bytes after which a new file begins."
    )
    options.define("log_file_num_backups", type=int, default=10, help="Number of older files kept.")
    options.define(
        "log_rotate_when",
        type=str,
        default="midnight",
        help="Unit of time between files: 'S', 'M', 'H', 'D', 'W0' to 'W6' or 'midnight'.",
    )
    options.define("log_rotate_interval", type=int, default=1, help="Number of those units between files.")
    options.define(
        "log_rotate_mode", type=str, default="size", help="What begins a new file: 'size' or 'time'."
    )
    options.add_parse_callback(lambda: enable_pretty_logging(options))


define_logging_options()
