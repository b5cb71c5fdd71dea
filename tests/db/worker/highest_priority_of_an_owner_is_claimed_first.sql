begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.make(name text, priority integer, owner text default 'ada', not_before timestamptz default null)
returns void
language sql as $$
  select upload_pipeline.confirm_upload(r.job_id, 1, pg_temp.sha(make.name::bytea))
    from upload_pipeline.create_job(
      owner_id => pg_temp.owner(make.owner), filename => make.name, mime => '', bytes_len => 1,
      file_sha256 => pg_temp.sha(make.name::bytea), raw_path => 'storage://raw/' || make.name, priority => make.priority,
      not_before => make.not_before
    ) as r
$$;
create function pg_temp.claim_names(batch integer) returns text
language sql as $$
  select string_agg(regexp_replace(c.filename, '^(low|later)\d+', '\1'), ' ' order by c.filename)
    from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', batch => claim_names.batch) as c
$$;

select pg_temp.make('low' || n, 0) from generate_series(1, 20) as n;
select pg_temp.make('mid' || n, 5) from generate_series(1, 2) as n;
select pg_temp.make('high' || n, 9) from generate_series(1, 3) as n;
select pg_temp.make('later' || n, 8, not_before => '2026-01-02 12:00+00') from generate_series(1, 50) as n;
select is(pg_temp.claim_names(2), 'high1 high2', 'the highest priority comes first, the oldest of it first');
select is(pg_temp.claim_names(4), 'high3 low mid1 mid2', 'then the next, in one claim; what is not due is passed by');
select is(pg_temp.claim_names(1), 'low', 'then the lowest');

select pg_temp.make('other', 0, owner => 'bob');
select pg_temp.make('higher', 9);
select is(pg_temp.claim_names(2), 'higher other', 'a priority counts only among the jobs of one owner');

select pg_temp.set_clock('2026-01-02 12:00+00');
select is(pg_temp.claim_names(1), 'later', 'what has become due counts by its priority');
update upload_pipeline.upload_jobs set priority = 9 where job_id in (
  select j.job_id from upload_pipeline.job_overview as j where j.filename = 'low20'
);
select is(pg_temp.claim_names(1), 'low', 'a priority may be changed while a job waits');

select * from finish();
rollback;
