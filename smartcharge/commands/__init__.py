"""One verb or one inspection per file: the click wrapper around an act."""
