-- Whether the snapshot counts cut payloads; one from before they were counted has no such table. One row.
select count(*) > 0 as has_table from duckdb_tables() where schema_name = 'meta' and table_name = 'cut_payloads'
