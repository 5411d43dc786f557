"""Parley: a self-service agent as a set of scale-to-zero CloudEvent functions."""
