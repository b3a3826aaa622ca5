"""The handlers that come with hachat."""
