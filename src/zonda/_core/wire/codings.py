"""Content codings that a client takes (RFC 9110, 8.4.1 and 12.5.3)."""

from collections.abc import Sequence

from .abnf import parse_weights

#: RFC 9110, 8.4.1.3: other names, which mean the same.
_SAME = {"x-gzip": "gzip"}


def accepted_codings(accept_encoding: str, offered: Sequence[str]) -> list[str]:
    """Those of the codings `offered` that a client with this Accept-Encoding takes, the best first.

    The client's weights decide, then whether it names the coding or says `*`, then the order in `offered`.
    What has less weight than `identity` is left out.  An empty text is the field that is not there: then
    a client may be sent anything, and gets what it need not decode.
    """
    if not accept_encoding:
        return []
    weights: dict[str, float] = {}
    for name, weight in parse_weights(accept_encoding.lower()):
        coding = _SAME.get(name, name)
        weights[coding] = max(weight, weights.get(coding, 0.0))
    others = weights.get("*", 0.0)
    least = weights.get("identity", 0.0)
    taken = [
        (-weight, coding not in weights, place, coding)
        for place, coding in enumerate(offered)
        if (weight := weights.get(coding, others)) > 0 and weight >= least
    ]
    return [coding for *_, coding in sorted(taken)]
