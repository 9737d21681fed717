"""What a server has logged, and what its handlers have noted, since it was last asked."""

import json
import logging
from typing import Any

from package import NAME, RequestHandler


class Records(logging.Handler):
    """Every record of the package's loggers, as `[logger, level, message, exception]`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.seen: list[Any] = []
        logger = logging.getLogger()
        logger.addHandler(self)
        logger.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        name = record.name.removeprefix(f"{NAME}.")
        self.seen.append([name, record.levelname, record.getMessage(), raised])

    def note(self, text: str) -> None:
        self.seen.append(["note", "", text, None])


class RecordsHandler(RequestHandler):
    """Gives out the records, and forgets them."""

    def initialize(self, records: Records) -> None:
        self.records = records

    def get(self) -> None:
        self.finish(json.dumps(self.records.seen))
        self.records.seen.clear()


class TurnHandler(RequestHandler):
    """Answers when the loop comes round."""

    def get(self) -> None:
        self.write("round")
