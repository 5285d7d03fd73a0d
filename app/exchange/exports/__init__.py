"""Export of records, annotations and vectors."""
