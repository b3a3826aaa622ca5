"""Values and arithmetic: no await, no clock, no socket, no trio.  Callers bring the time, the dice and the bytes."""
