begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(7);

select pg_temp.make_job('a', owner => 'ada');
select pg_temp.make_job('b', owner => 'bob');

create function pg_temp.place(job text, by text, role text default 'authenticated') returns text
language sql as $$
  select a.answer
    from pg_temp.answer(
      format(
        'select concat_ws('' '', coalesce(parsed_path, ''no path''), parsed_sha256) from hookline_api.my_jobs
          where job_id = %L',
        pg_temp.job(place.job)
      ),
      pg_temp.claims(place.by), place.role
    ) as a (answer)
$$;
create function pg_temp.parse(job text, delivery_id text, content text) returns text
language sql as $$
  select c.path
    from pg_temp.receive_content(
      delivery_id => parse.delivery_id, job_id => pg_temp.job(parse.job), content => convert_to(parse.content, 'UTF8')
    ) as c,
    lateral upload_pipeline.finish_content(job_id => c.job_id, ordinal => c.ordinal) as f
   where f.outcome = 'applied'
$$;

select is(pg_temp.place('a', by => 'ada'), 'no path', 'a job without content shows no path');
select pg_temp.parse('a', 'd1', '# a') as path \gset
select is(
  pg_temp.place('a', by => 'ada'), :'path' || ' ' || pg_temp.sha('# a'),
  'its owner reads the path and the hash of the content'
);
select is(pg_temp.place('a', by => 'bob'), null, 'another user does not see the job');
select is(
  pg_temp.place('a', by => 'ada', role => 'anon'), '42501 permission denied for schema hookline_api',
  'nobody reads it without signing in'
);
select is(
  (select count(*) from pg_temp.answer('select parsed_path from hookline_api.my_jobs', pg_temp.claims('bob')) as a (path)
    where a.path is not null),
  0::bigint, 'another user reads no path at all'
);

-- cancelled is a status without content, although the job still names it.
select pg_temp.make_job('c', owner => 'ada');
select pg_temp.parse('c', 'd2', '# c');
select isnt(pg_temp.place('c', by => 'ada'), 'no path', 'a parsed job shows its path');
select upload_pipeline.cancel_job(job_id => pg_temp.job('c'));
select is(pg_temp.place('c', by => 'ada'), 'no path', 'a cancelled job shows none');

select * from finish();
rollback;
