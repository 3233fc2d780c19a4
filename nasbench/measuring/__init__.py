"""Measurements of networks on a device: latency by several methods, with its spread."""
