"""Officers, roles and regions, purposes, and the log of who read what."""
