-- How a run ended; inserted as well, should the file have been lost meanwhile.
insert or replace into runs (
    run_id, started, finished, status, counts, requests, retries, rate_limit_wait_s, duration_s, snapshot, error
) values (
    :run_id, :started, :finished, :status, :counts, :requests, :retries, :rate_limit_wait_s, :duration_s, :snapshot, :error
)
