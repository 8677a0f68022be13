"""How analyses are run and shown."""
