"""Where records come from: canonical tables, sources, data sets."""
