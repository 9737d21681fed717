"""Login with other services: the protocols behind `zonda.auth`."""
