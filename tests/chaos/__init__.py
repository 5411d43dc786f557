"""A chaos run: many questions while everything that can die or misbehave does, and a verdict on what became of them."""
