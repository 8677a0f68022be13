"""Analyses of the same form, built from the public steps of others."""
