"""The pretend street: the outside world on loopback, for the demo and the story tests."""
