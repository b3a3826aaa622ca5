"""The composition root: builds the rooms, nests their lifetimes, takes the signals."""
