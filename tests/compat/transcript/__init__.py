"""The behaviour of http.client, scene by scene; compat must behave alike. See README.md here."""
