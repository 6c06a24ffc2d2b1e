"""Fills a Tesla Powerwall while the supplier charges the car at the cheap rate, and always brings it back."""

__version__ = "2026.11.0"
