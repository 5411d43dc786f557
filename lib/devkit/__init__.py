"""For developers: stand-ins for what cannot run here, staging, load. Never ships."""
