"""A file that came with a form."""

from zonda.util import ObjectDict


class HTTPFile(ObjectDict):
    """A file of a form, as it stands in `HTTPServerRequest.files`.

    Its keys are also attributes.  Source: Tornado documentation, `tornado.httputil`.
    """

    #: The name the sender gave; nothing says that it is a safe one to open.
    filename: str
    #: The content.
    body: bytes
    #: The sender's Content-Type, or `application/unknown`.
    content_type: str
