"""What every page of template.py shows, and how it is measured: 200 rows, others on each page.

PROGRAM SECONDS     prints the microseconds of processor time for each page
"""

from __future__ import annotations

import html
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROWS = 200
PAGES = 50
WARM_UP = 20

WORDS = [
    "ada",
    "grace & co",
    "<linus>",
    "o'guido",
    'the "margaret"',
    "alan",
    "barbara",
    "edsger",
    "donald",
    "hedy",
]


@dataclass
class Row:
    number: int
    name: str
    note: str
    price: float
    sold: bool


Render = Callable[[str, Sequence[Row]], str | bytes]


def pages() -> list[tuple[str, list[Row]]]:
    chance = random.Random(27182)
    return [
        (
            f"Page {page} & more",
            [
                Row(
                    number,
                    f"{chance.choice(WORDS)} {chance.randrange(100_000)}",
                    " ".join(chance.choices(WORDS, k=6)),
                    chance.randrange(10_000) / 100,
                    chance.random() < 0.3,
                )
                for number in range(ROWS)
            ],
        )
        for page in range(PAGES)
    ]


def expected(title: str, rows: Sequence[Row]) -> str:
    lines = [
        f"{row.number} {row.name} {row.note} {row.price:.2f} {'sold' if row.sold else ''}" for row in rows
    ]
    return " ".join(f"{title} {' '.join(lines)}".split())


def shown(page: str) -> str:
    """The text of a page: no tags, no entities; raises ValueError where a tag is none of the template's."""
    if unknown := set(re.findall(r"<[^>]*>?", page)) - set(re.findall(r"<[^>]*>", PLAIN)):
        raise ValueError(f"not escaped: {sorted(unknown)[:3]}")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


PLAIN = (
    '<html><body><h1></h1><table><tr class="even"><tr class="odd"><td></td><b></b></tr></table></body></html>'
)


def measure(render: Render) -> None:
    all_pages = pages()
    for title, rows in all_pages[:WARM_UP]:
        page = render(title, rows)
        text = page.decode() if isinstance(page, bytes) else page
        if shown(text) != expected(title, rows):
            raise ValueError(f"not the page: {shown(text)[:300]!r}, expected {expected(title, rows)[:300]!r}")
    until = time.monotonic() + float(sys.argv[1])
    count = 0
    before = time.process_time()
    while time.monotonic() < until:
        render(*all_pages[count % PAGES])
        count += 1
    print((time.process_time() - before) / count * 1e6)
