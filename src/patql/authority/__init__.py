"""The authority: tokens, scopes, issuing, verifying, audit. No I/O of its own; it takes ports."""
