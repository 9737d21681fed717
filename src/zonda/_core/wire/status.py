"""Reasons of status codes (RFC 9110, section 15)."""

from http import HTTPStatus

#: By code.  `http.client` has the same, and brings an HTTP client and a parser of e-mail along.
responses: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}
