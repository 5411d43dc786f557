"""Knowledge bases from files: reading them, and bringing a base to what they say. No function needs this to answer."""
