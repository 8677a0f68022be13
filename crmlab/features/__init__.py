"""Reductions of order histories, always as of a date."""
