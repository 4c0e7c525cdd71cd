"""What http.client does, told scene by scene; compat is to do the same. See README.md here."""
