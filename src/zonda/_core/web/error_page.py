"""The error page that handlers send unless they define their own."""

import traceback
from typing import Any

from zonda.escape import xhtml_escape


def error_page(handler: Any, exc_info: Any) -> None:
    """A line with the status; the traceback with the setting `serve_traceback`."""
    if handler.get_status() in (204, 304):
        # Raised as errors these end the request, and have no body.
        handler.finish()
        return
    if exc_info is not None and handler.settings.get("serve_traceback"):
        handler.set_header("Content-Type", "text/plain")
        for line in traceback.format_exception(*exc_info):
            handler.write(line)
        handler.finish()
        return
    status = f"{handler.get_status()}: {xhtml_escape(handler._reason)}"
    handler.finish(f"<html><title>{status}</title><body>{status}</body></html>")
