"""HTTP on every node: webhooks, health, API."""
