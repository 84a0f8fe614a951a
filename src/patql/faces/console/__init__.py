"""The terminal: results printed, questions asked."""
