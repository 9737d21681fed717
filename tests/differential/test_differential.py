"""The same bytes to the same application on Tornado 6.6.1 and on zonda: the answers must be the same."""

import json
from typing import Any

import pytest

from tests.differential.compare import Side, differences
from tests.differential.corpus import Case, corpus
from tests.differential.intended import INTENDED

CASES = [case for cases in corpus().values() for case in cases]


def labels(found: dict[str, tuple[Any, Any]]) -> list[str]:
    """What stands in `intended.py`: other statuses and endings with both values, else the fields' names.

    Where the status is another one, everything else may be.
    """
    telling = [name for name in found if name.endswith(("status", "connection", "answers"))]
    return [f"{name} {found[name][0]} -> {found[name][1]}" for name in telling] or list(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_answer(case: Case, genuine: Side, ours: Side) -> None:
    found = differences(genuine.fields(case), ours.fields(case))
    if case.name in INTENDED:
        why, expected = INTENDED[case.name]
        assert labels(found) == expected, f"listed in intended.py: {why}"
    elif found:
        lines = [
            f"{name}:\n  tornado {json.dumps(a)}\n  zonda   {json.dumps(b)}" for name, (a, b) in found.items()
        ]
        pytest.fail("\n".join([case.name, *lines]), pytrace=False)


def test_every_intended_difference_is_of_a_case_and_has_a_reason() -> None:
    names = {case.name for case in CASES}
    assert [name for name in INTENDED if name not in names] == []
    assert [name for name, (why, _) in INTENDED.items() if len(why.split()) < 3] == []


def test_no_case_stands_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
