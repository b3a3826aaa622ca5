"""IRC: `wire` and `session` say what the lines mean, `stream`, `presence` and `adapter` carry them."""
