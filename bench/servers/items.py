"""What the servers of json.py answer, and the cookies that they signed."""

import sys
from collections.abc import Callable

SECRET = "the benches' own, and of no use elsewhere"
VISITORS = 512


def item(number: int, visitor: str) -> dict[str, object]:
    """Ten fields, as an interface's answers have them; all follow from the request."""
    return {
        "id": number,
        "name": f"Item “{number * 7919 % 100003}” <small>",
        "visitor": visitor,
        "price": number % 9973 / 100,
        "currency": "EUR",
        "in_stock": number % 3 > 0,
        "tags": ["blue", f"size-{number % 40}", "new"],
        "parent": None,
        "rating": number % 50 / 10,
        "link": f"/item/{number + 1}?from={number}",
    }


def cookies_wanted(sign: Callable[[str], str]) -> bool:
    """Whether this program was called with `cookies` in place of a port: then it has printed them."""
    if sys.argv[1:] != ["cookies"]:
        return False
    for number in range(VISITORS):
        print(sign(f"visitor-{number * 104729 % 9999991}"))
    return True
