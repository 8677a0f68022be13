"""One folder per subject, all of one form; the map is the docstring of :mod:`crmlab`, the reports are in its registry."""
