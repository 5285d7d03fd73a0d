"""The records page: what is asked for, how it is found, and acts on many records at once."""
