"""The Powerwall, over Tesla's cloud, the Fleet API or its own gateway."""
