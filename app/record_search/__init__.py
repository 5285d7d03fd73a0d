"""The records page: search, saved searches and bulk actions."""
