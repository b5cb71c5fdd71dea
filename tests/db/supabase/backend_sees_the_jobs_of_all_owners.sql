begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(5);

select pg_temp.make_job('a', owner => 'ada', confirmed => false);
select pg_temp.make_job('b', owner => 'bob');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('b'), payload => '{"error": "no text"}'
);

create function pg_temp.seen(columns text, by text, role text) returns setof text
language sql as $$
  select a.answer
    from pg_temp.answer(
      format('select concat_ws('' '', %s) from hookline_api.jobs order by filename', seen.columns),
      pg_temp.claims(seen.by), seen.role
    ) as a (answer)
$$;

select results_eq(
  $$select attname from pg_attribute where attrelid = 'hookline_api.jobs'::regclass and attnum > 0 order by attnum$$,
  $$select attname from pg_attribute where attrelid = 'upload_pipeline.job_overview'::regclass and attnum > 0
     order by attnum$$,
  'jobs has the columns of job_overview'
);
select results_eq(
  $$select pg_temp.seen('filename, status, terminal, waits_because, last_error ->> ''error''', 'ada', 'service_role')$$,
  $$values ('a.pdf uploaded f its upload is not confirmed'), ('b.pdf failed_parse t no text')$$,
  'the backend sees the state of each job, why it waits, and its error'
);
select results_eq(
  $$select pg_temp.seen('owner_id', 'ada', 'service_role')$$,
  array[pg_temp.owner('ada')::text, pg_temp.owner('bob')::text],
  'the backend sees whose they are'
);
select results_eq(
  $$select pg_temp.seen('filename', 'ada', 'authenticated')$$, array['42501 permission denied for view jobs'],
  'a signed-in user may not read them'
);
select results_eq(
  $$select pg_temp.seen('filename', 'ada', 'anon')$$, array['42501 permission denied for schema hookline_api'],
  'nobody may without signing in'
);

select * from finish();
rollback;
