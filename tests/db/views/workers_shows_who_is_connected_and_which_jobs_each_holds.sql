begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a'), pg_temp.make_job('b'), pg_temp.make_job('c');
select upload_pipeline.record_submission(job_id => pg_temp.job('c'), attempt => 1, parse_job_id => 'p');
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'host-7', leased_until = '2026-01-01 12:01+00'
 where job_id in (pg_temp.job('a'), pg_temp.job('c'));
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'höst', leased_until = '2026-01-01 12:02+00'
 where job_id = pg_temp.job('b');

-- The names of sessions are read once in a transaction.
create function pg_temp.be_called(name text) returns void
language sql as $$ select set_config('application_name', name, false), pg_stat_clear_snapshot() $$;

create temp view found as
  select worker, role, version, since, connections, leased, statuses, first_lease_ends
    from upload_pipeline.workers
   where worker in ('host-7', 'höst');

select results_eq(
  'select * from found order by worker collate "C"',
  $$values ('host-7', 'worker', null, null::timestamptz, 0::bigint, 2::bigint, '{"uploaded": 1, "parse_queued": 1}'::jsonb,
            timestamptz '2026-01-01 12:01+00'),
           ('höst', 'worker', null, null, 0, 1, '{"uploaded": 1}', '2026-01-01 12:02+00')$$,
  'a worker that holds jobs is shown without a connection'
);

select pg_temp.be_called('hookline-worker 1.2.3 1767268800 host-7');
select results_eq(
  $$select version, since, connections, leased from found where worker = 'host-7'$$,
  $$values ('1.2.3', timestamptz '2026-01-01 12:00+00', 1::bigint, 2::bigint)$$,
  'a connection says the version and the start of the worker that holds the jobs'
);
-- The hash is that of the whole name.
select pg_temp.be_called(
  format('hookline-worker 1.2.3 1767268800 %s~h?st', left(encode(sha256('h\303\266st'), 'hex'), 8))
);
select is((select connections from found where worker = 'höst'), 1::bigint, 'a shortened name is that of its leases');
select pg_temp.be_called('hookline-receiver 1.2.3 1767268800 host-7');
select results_eq(
  $$select role, connections, leased from found where worker = 'host-7' order by role$$,
  $$values ('receiver', 1::bigint, 0::bigint), ('worker', 0, 2)$$,
  'the receiver of one process is not its worker'
);
select pg_temp.be_called('hookline-worker 1.2.3 1767268800 idle');
select is((select count(*) from upload_pipeline.workers where worker = 'idle'), 1::bigint, 'an idle worker is shown');
select pg_temp.be_called('hookline-worker 1.2.3 not-a-time idle');
select is(
  (select count(*) from upload_pipeline.workers where worker = 'idle'), 0::bigint,
  'a session with a name of another form is no worker'
);

select * from finish();
rollback;
