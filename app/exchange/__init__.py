"""Files in and out.

Decision: a row without an id column is known by its text: external id "text-" and 16 hex digits of
the text's sha256. The same file twice, or a longer one, therefore adds only what is new, wherever
rows moved; two rows with the same text are one record, the second counted as unchanged.
Decision: one bad row never stops a file. It is rejected with its line, column and reason, the rows
around it are stored, and rows read = stored + updated + unchanged + rejected.
Decision: text cells of our CSV that a spreadsheet would run as a formula carry a leading
apostrophe, which the import takes off again; JSONL and Parquet are exact.
"""
