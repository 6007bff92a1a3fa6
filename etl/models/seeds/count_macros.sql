-- How surprising a count or a silence is. DuckDB has neither distribution; a test holds both against scipy.

-- P(X >= n) for a negative binomial count with this mean and variance (variance > mean), as 1 - P(X < n) with the terms
-- summed in logarithms: right to 1e-9. Terms 12 standard deviations below the mean are nothing; a count 40 of them above
-- it is written as 0 (by Cantelli's inequality the chance is below 0.0007), so that large counts stay cheap.
create or replace temp macro chance_of_so_many(n, mean, variance) as
    case
        when n <= 0 then 1.0
        when n > mean + 40 * sqrt(variance) then 0.0
        else 1 - coalesce(list_sum(list_transform(
            range(greatest(0, floor(mean - 12 * sqrt(variance)))::bigint, n::bigint),
            lambda i: exp(
                lgamma(i + mean * mean / (variance - mean)) - lgamma(mean * mean / (variance - mean)) - lgamma(i + 1)
                + mean * mean / (variance - mean) * ln(mean / variance) + i * ln(1 - mean / variance)))), 0)
    end;

-- P(a silence so long) after something that came n times over a span of time, its rate known from those alone: the n - 1
-- gaps are exponential and their rate has the posterior Gamma(n - 1, span). Both times in the same unit.
create or replace temp macro chance_of_silence(silence, n, span) as power(1 + silence / greatest(span, 1), 1 - n);
