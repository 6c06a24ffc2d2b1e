"""One room per outside service: its library, its answers as core values, its failures as our errors."""
