"""multipart/form-data (RFC 7578) of a body held whole, over the `multipart` library.

The library finds the parts, strictly and in one pass.  The headers of a part are read here, through
the way the library offers for it (`_create_segment` is there to be replaced), because it leaves
open what Tornado promises: control characters in headers are refused, the bound is on all headers
of a part and not on each line, and `filename*` (RFC 8187) is understood.
"""

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from .abnf import parse_parameters
from .errors import HTTPInputError
from .fields import check_field_value
from .form_config import ParseMultipartConfig, default_parse_body_config
from .form_file import HTTPFile

#: Headers of one part; RFC 7578, 4.8 knows three.
_HEADERS_OF_PART = 32
#: What a part's headers cost beside names and values: colon, space, CRLF.
_HEADER_OVERHEAD = 4


class _FormParser(PushMultipartParser):  # type: ignore[misc]
    """The library's parser with Tornado's rules for the headers of a part."""

    def __init__(self, boundary: bytes, config: ParseMultipartConfig) -> None:
        super().__init__(
            boundary,
            max_header_size=config.max_part_header_size,
            max_header_count=_HEADERS_OF_PART,
            max_segment_count=config.max_parts,
            strict=True,
        )
        self._config = config
        self.parts_begun = 0

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        size = -2  # the last CRLF belongs to the empty line
        disposition = content_type = None
        for name, value in headerlist:
            size += len(name) + len(value) + _HEADER_OVERHEAD
            value = value.rstrip(" \t")
            check_field_value(value, chars_are_bytes=False)
            if name == "Content-Type":
                content_type = value
            elif name == "Content-Disposition":
                if disposition is not None:
                    raise HTTPInputError("Invalid multipart/form-data: two Content-Disposition in one part")
                disposition = value
        if not headerlist:
            raise HTTPInputError("multipart/form-data missing headers")
        if size > self._config.max_part_header_size:
            raise HTTPInputError(_too_large(self._config))
        kind, parameters = parse_parameters(disposition or "")
        if kind.lower() != "form-data":
            raise HTTPInputError("Invalid multipart/form-data: a part that is no form-data")
        if not parameters.get("name"):
            raise HTTPInputError("multipart/form-data missing name")
        self.parts_begun += 1
        segment = MultipartSegment([])
        segment.name = parameters["name"]
        segment.filename = parameters.get("filename")
        segment.content_type = content_type
        return segment


def _too_large(config: ParseMultipartConfig) -> str:
    return (
        "multipart/form-data part header too large:"
        f" allowed are {config.max_part_header_size} bytes in {_HEADERS_OF_PART} headers"
    )


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Parses a multipart/form-data body into `arguments` and `files`, which are extended.

    `boundary` is that of the Content-Type field, with or without quotes; `data` is the whole body.
    A part with a non-empty file name goes to `files`, any other to `arguments`.  Raises
    `HTTPInputError` for a malformed body or one past the bounds of `config` (default: that of
    `set_parse_body_config`); then `arguments` and `files` are as they were.

    Source: Tornado documentation, `tornado.httputil`; RFC 7578.
    """
    if config is None:
        config = default_parse_body_config().multipart
    if not config.enabled:
        raise HTTPInputError("multipart/form-data parsing is disabled")
    if len(boundary) >= 2 and boundary.startswith(b'"') and boundary.endswith(b'"'):
        boundary = boundary[1:-1]
    for segment, body in _parse(boundary, data, config):
        if segment.filename:
            content_type = segment.content_type or "application/unknown"
            file = HTTPFile(filename=segment.filename, body=body, content_type=content_type)
            files.setdefault(segment.name, []).append(file)
        else:
            arguments.setdefault(segment.name, []).append(body)


def _parse(
    boundary: bytes, data: bytes, config: ParseMultipartConfig
) -> list[tuple[MultipartSegment, bytes]]:
    parts = []
    segment = None
    body = b""
    parser = None
    try:
        parser = _FormParser(boundary, config)
        for event in parser.parse(_with_empty_bodies(data, b"--" + boundary)):
            if isinstance(event, MultipartSegment):
                segment, body = event, b""
            elif event is None:
                parts.append((segment, body))
            else:
                # The data come in one piece, and so does each body.
                body = event
        parser.close()
    except ParserLimitReached:
        if parser is not None and parser.parts_begun == config.max_parts:
            raise HTTPInputError(
                f"multipart/form-data has too many parts: allowed are {config.max_parts}"
            ) from None
        raise HTTPInputError(_too_large(config)) from None
    except MultipartError as error:
        # The first argument is the sentence; more of them quote the peer without bound.
        raise HTTPInputError(f"Invalid multipart/form-data: {error.args[0]}") from None
    return parts


def _with_empty_bodies(data: bytes, dashed: bytes) -> bytes:
    """Gives every part without a body an empty one.

    By RFC 2046, 5.1.1 a part may end with its headers, and then the CRLF of the empty line is that of
    the delimiter: Tornado takes it so, the library takes the delimiter for content.  Delimiters are
    found as the library finds them; where nothing is to be changed, `data` is given back.
    """
    if b"\r\n\r\n" + dashed not in data:
        return data
    pieces = []
    copied = 0
    delimiter = data.find(dashed)
    while delimiter >= 0:
        head = data.find(b"\r\n\r\n", delimiter)
        if head < 0:
            break
        body = head + 4
        after = body + len(dashed)
        if data.startswith(dashed, body) and data[after : after + 2] in (b"\r\n", b"--"):
            pieces += [data[copied:body], b"\r\n"]
            copied = delimiter = body
        else:
            delimiter = data.find(b"\r\n" + dashed, body)
    pieces.append(data[copied:])
    return b"".join(pieces) if copied else data
