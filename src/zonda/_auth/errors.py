"""What goes wrong in a login."""


class AuthError(Exception):
    """A login that did not succeed: refused, forged, expired, or answered by a service in a way it may not.

    The message says what was seen and what was expected, and holds no token, code or secret.
    Source: Tornado documentation, `tornado.auth`.
    """
