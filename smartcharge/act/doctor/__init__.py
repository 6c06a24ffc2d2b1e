"""The doctor: looks at everything that can be wrong in a house, and changes nothing there."""
