"""The handlers that come with hachat; one of yours with the same name takes the place of any of them."""
