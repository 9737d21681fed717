"""What is wrong with a template, and where."""


class ParseError(Exception):
    """A template does not follow the template language.

    `filename` is the template's name (None when it is not known), `lineno` the line counted
    from 1 (0 when it is not known).  Source: Tornado documentation, `tornado.template`.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        return f"{self.message} at {self.filename}:{self.lineno}"
