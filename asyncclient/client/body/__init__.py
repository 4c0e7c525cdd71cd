"""Request bodies: what a caller passes, as a payload that can be sent again."""
