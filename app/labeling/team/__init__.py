"""Working together: assignments, several annotators a record, agreement, the hold-out sample."""
