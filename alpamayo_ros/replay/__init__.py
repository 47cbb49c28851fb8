"""Bags: reading them, playing them through DDS, replaying them in lockstep."""
