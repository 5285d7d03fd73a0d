"""Encoder versions side by side: whence each comes, how two differ, what is kept."""
