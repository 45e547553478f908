"""HTTP and websocket endpoints over a Gateway. Owns no state of any session."""
