"""The acts that commands run: load, decide, ask only what could matter, decide, record, act, verify."""
