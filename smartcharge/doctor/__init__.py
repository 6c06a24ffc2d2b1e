"""The doctor: everything that can be wrong with an installation, checked and explained."""
