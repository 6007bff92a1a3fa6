-- Which family of routes a score was read from: another family's list must never decide that it was deleted. NULL: read
-- before this was kept.
alter table raw.scores add column family varchar;
