"""Who leads, who is there, and is the loop still turning."""
