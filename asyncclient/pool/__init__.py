"""Connections kept and shared: who may open one, who gets which, and when one goes."""
