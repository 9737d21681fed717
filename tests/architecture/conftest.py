"""Names the files that grow long, before they become too long."""

from tests.architecture.test_rooms import lengths
from tests.architecture.tree import Tree

LONG = 400


def pytest_terminal_summary(terminalreporter):
    long = sorted(
        ((lines, str(module.path)) for module, lines in lengths(Tree()) if lines > LONG), reverse=True
    )
    if long:
        terminalreporter.section(f"files over {LONG} lines (600 fails)")
        for lines, path in long:
            terminalreporter.line(f"{lines:5} {path}")
