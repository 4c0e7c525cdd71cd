"""Integrations with other libraries; each module needs an extra of the same name."""
