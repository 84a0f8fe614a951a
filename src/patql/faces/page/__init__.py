"""The documentation page of a resource, made from its provider document: `patql docs linode.profile.tokens`."""
