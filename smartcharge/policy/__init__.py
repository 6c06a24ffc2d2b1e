"""What can be decided without touching the world: values in, values out, standard library only."""
