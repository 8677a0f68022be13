"""Mathematics, one model per file; knows nothing of CRM tables."""
