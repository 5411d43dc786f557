"""The agent loop and the agents' configuration: decisions only."""
