"""From files and databases to canonical tables: texts and workbooks read, cleaned, derived, every row accounted for."""
