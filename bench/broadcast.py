"""One message to thousands of WebSockets: what each delivery costs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.contest import BENCH, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import allow_files, listens, pinned, processor_times, serving
from bench.programs import Program, program

CONNECTIONS = 5000
OPEN_SECONDS = 60.0
SAMPLE_PATIENCE = 40.0
#: What zonda's clients subscribe to; other servers have one room.
TOPICS = {"zonda": "live", "zonda_history": "kept"}
MEASURES = (
    Measure("processor", "processor time, us/delivery"),
    Measure("user", "outside the kernel", compared=False),
)
ZONDA = ("zonda", "httptools", "uvloop")
CONTESTANTS = (
    Contestant("picows", "picows, loop over its transports (Cython)", ("picows", "aiofastnet", "uvloop")),
    Contestant("zonda", "zonda, topic without history", ZONDA),
    Contestant("zonda_history", "zonda, history=100", ZONDA),
    Contestant("aiohttp", "aiohttp on uvloop", ("aiohttp", "uvloop")),
    Contestant("tornado", "Tornado", ("tornado",)),
)


class Place:
    """A server with its connections, which stay open from round to round."""

    def __init__(self, stack: ExitStack, setting: Setting, contestant: Contestant, connections: int) -> None:
        self._connections = connections
        self._duration = setting.duration
        script = f"broadcast_{contestant.name.partition('_')[0]}"
        self._pid, port = stack.enter_context(serving(setting, contestant, script, listens))
        command = [setting.peers, str(BENCH / "loads/broadcast_clients.py"), str(port), str(connections)]
        command += filter(None, [TOPICS.get(contestant.name)])
        self._load: Program = stack.enter_context(
            program(f"the clients of {contestant.title}", pinned(setting.load_core, command), {})
        )
        self._load.answer(OPEN_SECONDS)
        self._publish(1)  # warm

    def _publish(self, seconds: int) -> int:
        self._load.say(str(seconds))
        return int(self._load.answer(seconds + SAMPLE_PATIENCE))

    def sample(self) -> dict[str, float]:
        """Microseconds for each message to each connection, and how many of these are outside the kernel."""
        before = processor_times(self._pid)
        published = self._publish(self._duration)
        user, system = map(float.__sub__, processor_times(self._pid), before)
        to_us = 1e6 / published / self._connections
        return {"processor": (user + system) * to_us, "user": user * to_us}


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    connections = setting.fewer(CONNECTIONS, 500)
    allow_files(connections)
    places: dict[str, Place] = {}
    with ExitStack() as stack:

        def sample(contestant: Contestant) -> dict[str, float]:
            if contestant.key not in places:
                places[contestant.key] = Place(stack, setting, contestant, connections)
            return places[contestant.key].sample()

        return take_turns("broadcast", setting, contestants, sample)


GROUP = Group(
    "broadcast",
    "Channels: one message to 5,000 WebSockets, for each delivery",
    CONTESTANTS,
    MEASURES,
    run,
    reference="picows",
)
