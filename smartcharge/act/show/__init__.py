"""What people and programs are shown: everything here only looks at the memory."""
