"""Chat services: what an adapter is, and the two roads between an adapter and the queues."""
