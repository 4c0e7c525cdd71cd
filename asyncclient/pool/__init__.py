"""The connections of a client: opening, sharing, keeping and closing them."""
