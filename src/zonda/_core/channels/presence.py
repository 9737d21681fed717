"""Who is here, of one topic, from the records that brokers keep: a client counts once, on however many
nodes.
"""

from collections.abc import Iterable

from .message import Joined, Left, Member


class Presence:
    """The view of one process; every change gives the events that it means to who watches."""

    __slots__ = ("_nodes", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        #: client -> node -> its record
        self._nodes: dict[str, dict[str, Member]] = {}

    def members(self) -> list[Member]:
        """Everybody once."""
        return [next(iter(nodes.values())) for nodes in self._nodes.values()]

    def changed(self, joined: bool, member: Member) -> list[Joined | Left]:
        """A record was made, or removed."""
        nodes = self._nodes.get(member.client)
        if joined:
            if nodes is None:
                self._nodes[member.client] = {member.node: member}
                return [Joined(self.topic, member)]
            nodes[member.node] = member
        elif nodes is not None and nodes.pop(member.node, None) is not None and not nodes:
            del self._nodes[member.client]
            return [Left(self.topic, member)]
        return []

    def forget(self, node: str) -> list[Joined | Left]:
        """All records of a node are removed."""
        gone = [nodes[node] for nodes in self._nodes.values() if node in nodes]
        return [event for member in gone for event in self.changed(False, member)]

    def replace(self, records: Iterable[Member]) -> list[Joined | Left]:
        """The records are these; what differs from what was known is told."""
        now: dict[str, dict[str, Member]] = {}
        for member in records:
            now.setdefault(member.client, {})[member.node] = member
        before, self._nodes = self._nodes, now
        events: list[Joined | Left] = [
            Left(self.topic, next(iter(nodes.values())))
            for client, nodes in before.items()
            if client not in now
        ]
        events += [
            Joined(self.topic, next(iter(nodes.values())))
            for client, nodes in now.items()
            if client not in before
        ]
        return events


def everybody(records: Iterable[Member]) -> list[Member]:
    """Each client of the records once."""
    return list({member.client: member for member in records}.values())
