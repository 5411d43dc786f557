"""How well, and how fast, questions find their sections: `make retrieval`."""
