"""The access log's line."""

import logging
from typing import Any

from zonda.log import access_log


def log(handler: Any) -> None:
    """Status, summary and milliseconds: info below 400, warning below 500, error from there."""
    status = handler.get_status()
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if access_log.isEnabledFor(level):
        access_log.log(
            level, "%d %s %.2fms", status, handler._request_summary(), 1000.0 * handler.request.request_time()
        )
