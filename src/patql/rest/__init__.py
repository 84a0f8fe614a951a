"""Adapters by which the engine reaches a target: HTTP, and the API in process."""
