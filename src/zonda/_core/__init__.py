"""The inside of zonda. Nothing here is public; the street is one level up."""
