"""The client on libcurl: the public module `zonda.curl_httpclient` (Tornado: `tornado.curl_httpclient`).

`AsyncHTTPClient.configure("zonda.curl_httpclient.CurlAsyncHTTPClient")` makes it the one that is used.
Needs pycurl: `pip install zonda[curl]`.
"""

import re

from zonda._core.base.face import show
from zonda._core.client.curl import CurlAsyncHTTPClient, CurlError
from zonda._core.client.curl_body import _CurlStreamingBuffer  # noqa: F401  # Tornado's own tests use it
from zonda._core.client.curl_transfer import curl_log
from zonda.httpclient import main

__all__ = ["CR_OR_LF_RE", "CurlAsyncHTTPClient", "CurlError", "curl_log"]

#: Kept for programs that name it.
CR_OR_LF_RE = re.compile(b"\r|\n")

show(__name__, globals(), [*__all__, "_CurlStreamingBuffer"])

if __name__ == "__main__":
    CurlAsyncHTTPClient.configure(CurlAsyncHTTPClient)
    main()
