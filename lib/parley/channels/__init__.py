"""How each vendor says it: one pure file each, with what to send and what its answer means."""
