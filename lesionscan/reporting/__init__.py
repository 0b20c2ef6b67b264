"""Convert findings to the content of result files: record, pictures, page, tables, exports."""
