delete from reconciled
where (project_id, day) not in (select project_id, day from reconciled order by day desc limit ?)
