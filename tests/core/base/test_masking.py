"""Masking, byte by byte as RFC 6455 section 5.3 has it."""

import os

import pytest

from zonda._core.base.masking import masked
from zonda.util import _websocket_mask_python


@pytest.mark.parametrize("begin", [0, 1, 4, 8, 14])
@pytest.mark.parametrize("size", [*range(18), 125, 126, 511, 512, 513, 514, 515, 516, 4096, 65535, 65536])
def test_every_byte_meets_its_byte_of_the_mask(begin: int, size: int) -> None:
    data = os.urandom(begin + size)
    for mask in (os.urandom(4), b"\xff\x00\x80\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0"):
        wanted = bytes(byte ^ mask[at & 3] for at, byte in enumerate(data[begin:]))
        assert masked(data, begin, mask) == wanted
        assert masked(bytes(masked(data, begin, mask)), 0, mask) == data[begin:]


def test_under_the_name_of_tornado_it_takes_what_is_like_bytes() -> None:
    assert _websocket_mask_python(b"\1\2\3\4", bytearray(b"hello")) == b"ig" + bytes(
        [108 ^ 3, 108 ^ 4, 111 ^ 1]
    )
    with pytest.raises(ValueError, match="a mask of 3 bytes: 4 are allowed"):
        _websocket_mask_python(b"\1\2\3", b"hello")
