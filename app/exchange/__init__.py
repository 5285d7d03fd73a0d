"""Import and export of files.

Decision: without an id column a row is identified by its text: external id "text-" and 16 hex
digits of its sha256. Importing a file again, or a longer one, therefore adds only new records,
wherever rows moved; two rows with the same text are one record, the second counted as unchanged.
Decision: one bad row never stops a file. It is rejected with its line, column and reason, the rows
around it are stored, and rows read = stored + updated + unchanged + rejected.
Decision: text cells of exported CSV that a spreadsheet would run as a formula get a leading
apostrophe, which the import removes again; JSONL and Parquet are lossless.
"""
