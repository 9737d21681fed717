"""Bodies of forms: told apart by Content-Type, parsed into arguments and files."""

from zonda.escape import parse_qs_bytes

from .abnf import parse_parameters
from .errors import HTTPInputError
from .form_config import ParseBodyConfig, default_parse_body_config
from .form_file import HTTPFile
from .headers import HTTPHeaders


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    headers: HTTPHeaders | None = None,
    *,
    config: ParseBodyConfig | None = None,
) -> None:
    """Parses a form's body into `arguments` and `files`, which are extended.

    Media types are application/x-www-form-urlencoded and multipart/form-data, in any case; bodies of
    other types are left alone.  Raises `HTTPInputError` for a malformed body, one past the bounds of
    `config` (default: that of `set_parse_body_config`), and one whose Content-Encoding in `headers`
    has not been undone.

    Source: Tornado documentation, `tornado.httputil`.
    """
    # The whole media type and not the beginning of it: what only looks like a form is none.
    media_type = content_type.partition(";")[0].strip(" \t").lower()
    if media_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return
    if headers is not None and "Content-Encoding" in headers:
        raise HTTPInputError(f"Unsupported Content-Encoding: {headers['Content-Encoding']}")
    if config is None:
        config = default_parse_body_config()
    if media_type == "multipart/form-data":
        _parse_multipart(content_type, body, arguments, files, config)
        return
    try:
        fields = parse_qs_bytes(body, keep_blank_values=True, max_num_fields=config.urlencoded.max_arguments)
    except ValueError as error:
        raise HTTPInputError(f"Invalid x-www-form-urlencoded body: {error}") from None
    for name, values in fields.items():
        arguments.setdefault(name, []).extend(values)


def _parse_multipart(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    config: ParseBodyConfig,
) -> None:
    boundary = parse_parameters(content_type)[1].get("boundary")
    if not boundary:
        raise HTTPInputError("Invalid multipart/form-data: multipart boundary not found")
    try:
        # Header fields are octets shown as Latin-1; this gives the octets back.
        octets = boundary.encode("latin-1")
    except UnicodeEncodeError:
        raise HTTPInputError("Invalid multipart/form-data: multipart boundary is no octets") from None
    from .multipart import parse_multipart_form_data  # many programs get no such body

    parse_multipart_form_data(octets, body, arguments, files, config=config.multipart)
