"""The HTTP API: who asks, what, and how long they want to wait."""
