"""caisson and its peers side by side: ratios in one table, never a pass or a failure by time."""
