"""Seeds that failed once; they run every time, with whatever range is asked for."""

REGRESSIONS = (12, 32, 33, 52, 56, 72, 90, 101, 221, 576, 10626, 12665)
