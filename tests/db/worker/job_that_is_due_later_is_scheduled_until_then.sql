begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.scheduled() returns text
language sql as $$
  select string_agg(n.name, ' ' order by n.name)
    from upload_pipeline.upload_jobs as j join named_jobs as n using (job_id)
   where j.scheduled
$$;

select pg_temp.make_job(name) from unnest(array['a', 'b', 'c']) as name;
select is(pg_temp.scheduled(), null, 'a new job is due at once');
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'd', mime => '', bytes_len => 1, file_sha256 => repeat('d', 64),
  raw_path => 'storage://raw/d', not_before => '2026-01-01 12:10+00'
);
insert into named_jobs
select 'd', j.job_id, j.document_id from upload_pipeline.job_overview as j where j.filename = 'd';
select upload_pipeline.confirm_upload(job_id => pg_temp.job('d'), bytes_len => 1, file_sha256 => repeat('d', 64));
select is(pg_temp.scheduled(), 'd', 'one with not_before is scheduled');

select is(pg_temp.claim(lease => '1 hour'), 'a b c', 'a claim does not take it');
select pg_temp.fail('a');
select upload_pipeline.defer_job(
  job_id => pg_temp.job('b'), lease_token => pg_temp.token('b'), until => '2026-01-01 12:05+00',
  error => '{"code": "not_ready", "error": "Later."}'
);
select is(pg_temp.scheduled(), 'a b d', 'a failed try and a deferral schedule their jobs');

select pg_temp.set_clock('2026-01-01 12:06+00');
select upload_pipeline.release_lease(pg_temp.job('c'), pg_temp.token('c'));
select is(pg_temp.scheduled(), 'a b d', 'a job that is given back is due at once');
select is(pg_temp.claim(batch => 1, lease => '1 hour'), 'c', 'a claim stages all whose time has come, even if it takes another job');
select is(pg_temp.scheduled(), 'd', 'the others stay scheduled');
select is(pg_temp.claim(lease => '1 hour'), 'a b', 'the next one takes them');

select pg_temp.set_clock('2026-01-01 12:10+00');
select is(pg_temp.claim(), 'd', 'a claim takes what it has staged');
select is(pg_temp.scheduled(), null, 'then nothing is scheduled');

update upload_pipeline.upload_jobs
   set run_after = '2026-01-01 13:00+00', lease_token = null, leased_by = null, leased_until = null
 where job_id = pg_temp.job('d');
select is(pg_temp.scheduled(), 'd', 'whoever writes run_after schedules the job');
update upload_pipeline.upload_jobs set run_after = '2026-01-01 12:00+00' where job_id = pg_temp.job('d');
select is(pg_temp.claim(), 'd', 'or makes it due');
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
