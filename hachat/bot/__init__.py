"""The bot: handlers, the routes to them, and the workers that run them."""
