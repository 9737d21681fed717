"""Login with other services: the public module `zonda.auth` (`tornado.auth`).

Each class is mixed into a `RequestHandler`.  `OpenIDConnectMixin` is zonda's own; the others are Tornado's.
"""

from zonda._auth.errors import AuthError
from zonda._auth.facebook import FacebookGraphMixin
from zonda._auth.google import GoogleOAuth2Mixin
from zonda._auth.oauth1 import OAuthMixin
from zonda._auth.oauth2 import OAuth2Mixin
from zonda._auth.openid import OpenIdMixin
from zonda._auth.openid_connect import OpenIDConnectMixin
from zonda._auth.twitter import TwitterMixin
from zonda._core.base.face import show

__all__ = [
    "AuthError",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIDConnectMixin",
    "OpenIdMixin",
    "TwitterMixin",
]

show(__name__, globals(), __all__)
