begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.set_clock('2026-03-08 12:00+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => period, credits => 1) from unnest(array['hour', 'day', 'month']) as period;
-- In New York the clocks changed that day, and local midnight is another moment.
set local timezone = 'America/New_York';
select results_eq(
  'select period, starts_at, resets_at from upload_pipeline.credit_status order by starts_at',
  $$values ('month', timestamptz '2026-03-01 00:00+00', timestamptz '2026-04-01 00:00+00'),
           ('day', '2026-03-08 00:00+00', '2026-03-09 00:00+00'),
           ('hour', '2026-03-08 12:00+00', '2026-03-08 13:00+00')$$, 'the windows are in UTC for a session in New York'
);
select pg_temp.set_clock('2026-12-31 23:59:59+00');
set local timezone = 'Pacific/Auckland';
select results_eq(
  'select period, starts_at, resets_at from upload_pipeline.credit_status order by starts_at',
  $$values ('month', timestamptz '2026-12-01 00:00+00', timestamptz '2027-01-01 00:00+00'),
           ('day', '2026-12-31 00:00+00', '2027-01-01 00:00+00'),
           ('hour', '2026-12-31 23:00+00', '2027-01-01 00:00+00')$$, 'the windows are in UTC for a session in Auckland'
);

select * from finish();
rollback;
