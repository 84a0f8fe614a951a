"""Personal access tokens inside somebody's product, as ASGI: endpoints to mount, and what checks tokens on its own routes."""
