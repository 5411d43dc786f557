"""The command `parley`."""
