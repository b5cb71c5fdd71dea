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

select columns_are(
  'hookline_api', 'jobs',
  array[
    'job_id', 'document_id', 'owner_id', 'filename', 'mime', 'bytes_len', 'status', 'version', 'attempt',
    'upload_confirmed', 'finished', 'failed', 'error_code', 'error', 'created_at', 'updated_at', 'parsed_path',
    'parsed_sha256'
  ],
  'jobs has exactly these columns'
);
select results_eq(
  $$select pg_temp.seen('filename, status, upload_confirmed, finished, failed, error_code, error', 'ada', 'service_role')$$,
  $$values ('a.pdf uploaded f f f'), ('b.pdf failed_parse t t t parse_failed no text')$$,
  'the backend sees the state and the error of each job'
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
