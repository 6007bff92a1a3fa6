-- One row per rule by which everything stored here is redacted; none: nothing is.
create table meta.redaction (rule varchar not null);
