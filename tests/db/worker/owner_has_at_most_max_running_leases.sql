begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a' || n, owner => 'ada') from generate_series(1, 60) as n;
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 3);
create function pg_temp.claim_owners(batch integer) returns text
language sql as $$
  select concat_ws(' ', count(*) filter (where c.owner_id = pg_temp.owner('ada')), count(*) filter (where c.owner_id <> pg_temp.owner('ada')))
    from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', batch => claim_owners.batch) as c
$$;
create function pg_temp.running() returns bigint
language sql as $$
  select count(*) from upload_pipeline.upload_jobs where owner_id = pg_temp.owner('ada') and lease_token is not null
$$;

select is(pg_temp.claim_owners(2), '2 0', 'below the cap an owner gets the batch');
select is(pg_temp.claim_owners(5), '1 0', 'and no more than the cap leaves');
select is(pg_temp.claim_owners(5), '0 0', 'then none');

select pg_temp.make_job('b' || n, owner => 'bob') from generate_series(1, 4) as n;
select is(pg_temp.claim_owners(1), '0 1', 'another owner is not delayed by 57 older jobs');
select is(pg_temp.claim_owners(10), '0 3', 'and gets the rest of the batch');

select upload_pipeline.release_lease(j.job_id, j.lease_token)
  from upload_pipeline.upload_jobs as j
 where j.owner_id = pg_temp.owner('ada') and j.lease_token is not null
 limit 1;
select is(pg_temp.claim_owners(5), '1 0', 'a lease that ends makes room');

-- Few jobs are due, and some of them are of an owner with a cap.
update upload_pipeline.upload_jobs
   set run_after = '2026-01-02 12:00+00'
 where owner_id = pg_temp.owner('ada') and lease_token is null
   and job_id not in (select j.job_id from upload_pipeline.upload_jobs as j where j.owner_id = pg_temp.owner('ada') and j.lease_token is null limit 2);
select pg_temp.make_job('b5', owner => 'bob');
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 4);
select is(pg_temp.claim_owners(10), '1 1', 'the cap holds also if few jobs are due');
select is(pg_temp.running(), 4::bigint, 'as many run as the cap allows');
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'));
select is(pg_temp.claim_owners(10), '1 0', 'without a cap all are claimed');

select * from finish();
rollback;
