"""Flexible routing: the public module `zonda.routing` (`tornado.routing`)."""

from zonda._core.base.face import show
from zonda._core.web.matchers import AnyMatches, DefaultHostMatches, HostMatches, Matcher, PathMatches
from zonda._core.web.routes import ReversibleRouter, ReversibleRuleRouter, Router, RuleRouter
from zonda._core.web.rule import Rule, URLSpec

__all__ = [
    "AnyMatches",
    "DefaultHostMatches",
    "HostMatches",
    "Matcher",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "Router",
    "Rule",
    "RuleRouter",
    "URLSpec",
]

show(__name__, globals(), __all__)
