"""Provider documents: what resources there are, and by which requests they are reached."""
