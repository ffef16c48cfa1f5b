"""Many jobs of a small static site, with faults at random moments."""
