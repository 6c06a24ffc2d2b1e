"""The simulator: the outside world on loopback, for the demo and the scenario tests."""
