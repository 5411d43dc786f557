"""What we mean: events, plans, turns, sessions. No input or output, no clock."""
