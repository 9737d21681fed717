"""The same bytes to the same application on Tornado 6.6.1 and on zonda: the answers must be the same."""

import json
from typing import Any

import pytest

from tests.differential.compare import Side, differences
from tests.differential.corpus import Case, corpus
from tests.differential.intended import INTENDED

CASES = [case for cases in corpus().values() for case in cases]
#: The cases of one file for one server are one item: pytest's own work for 1800 takes longer than they do.
GROUPS = {
    f"{name} {server}": [case for case in cases if case.server == server]
    for name, cases in corpus().items()
    for server in sorted({case.server for case in cases})
}


def labels(found: dict[str, tuple[Any, Any]]) -> list[str]:
    """What stands in `intended.py`: other statuses and endings with both values, else the fields' names.

    Where the status is another one, everything else may be.
    """
    telling = [name for name in found if name.endswith(("status", "connection", "answers"))]
    return [f"{name} {found[name][0]} -> {found[name][1]}" for name in telling] or list(found)


def fault(case: Case, found: dict[str, tuple[Any, Any]]) -> str | None:
    """What is wrong with the differences of one case, if anything is."""
    if case.name in INTENDED:
        why, expected = INTENDED[case.name]
        seen = labels(found)
        return None if seen == expected else f"{case.name}\n  {seen}, and not {expected}, as intended: {why}"
    shown = [
        f"  {name}: tornado {json.dumps(a)}\n    zonda {json.dumps(b)}" for name, (a, b) in found.items()
    ]
    return "\n".join([case.name, *shown]) if found else None


@pytest.mark.parametrize("group", GROUPS)
def test_same_answers(group: str, genuine: Side, ours: Side) -> None:
    found = [fault(case, differences(genuine.fields(case), ours.fields(case))) for case in GROUPS[group]]
    faults = [text for text in found if text]
    if faults:
        pytest.fail("\n".join([f"{len(faults)} of {len(found)} cases:", *faults]), pytrace=False)


@pytest.mark.parametrize(
    ("genuine", "ours", "fields"),
    [
        ({"status": 200, "body": "a"}, {"status": 200, "body": "a"}, []),
        ({"status": 200, "body": "a"}, {"status": 200, "body": "b"}, ["body"]),
        ({"status": 200, "body": "a"}, {"status": 404, "body": "b"}, ["status 200 -> 404"]),
        ({"header Vary": ["a"]}, {}, ["header Vary"]),
        ({"connection": "kept"}, {"connection": "closed", "log": []}, ["connection kept -> closed"]),
    ],
)
def test_a_difference_is_found_and_told(genuine: Any, ours: Any, fields: list[str]) -> None:
    found = differences(genuine, ours)
    assert labels(found) == fields
    case = Case("main: a case that is nowhere", "main", [], [])
    assert (fault(case, found) is None) == (not fields)
    intended = Case(next(iter(INTENDED)), "main", [], [])
    assert fault(intended, found) is not None


def test_every_intended_difference_is_of_a_case_and_has_a_reason() -> None:
    names = {case.name for case in CASES}
    assert [name for name in INTENDED if name not in names] == []
    assert [name for name, (why, _) in INTENDED.items() if len(why.split()) < 3] == []


def test_no_case_stands_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
