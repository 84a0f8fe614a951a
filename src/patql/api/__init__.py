"""The Linode API v4 as a pure function of a request."""
