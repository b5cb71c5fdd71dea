begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(6);

select pg_temp.make_job('a', owner => 'ada', file => 'same');
select pg_temp.make_job('b', owner => 'bob', file => 'same');
select pg_temp.make_job('b2', owner => 'bob');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('b2'));

create function pg_temp.names(of_view text, by text) returns setof text
language sql as $$
  select n.name || s.version
    from pg_temp.answer(
      format('select job_id || '' '' || version from hookline_api.%I', of_view), pg_temp.claims(names.by)
    ) as a (answer),
    lateral (select split_part(a.answer, ' ', 1) as job_id, split_part(a.answer, ' ', 2) as version) as s
    join named_jobs as n on n.job_id::text = s.job_id
$$;

select bag_eq(
  $$select pg_temp.names('my_jobs', by => 'ada')$$, $$values ('a2')$$,
  'a user sees their job in its current version'
);
select bag_eq(
  $$select pg_temp.names('my_jobs', by => 'bob')$$, $$values ('b2'), ('b23')$$,
  'another user with the same file sees only their own jobs'
);
select bag_eq(
  $$select pg_temp.names('my_events', by => 'ada')$$, $$values ('a1'), ('a2')$$,
  'a user sees each event of their job'
);
select bag_eq(
  $$select pg_temp.names('my_events', by => 'bob')$$, $$values ('b1'), ('b2'), ('b21'), ('b22'), ('b23')$$,
  'another user sees only events of their own jobs'
);
select is_empty(
  $$select * from pg_temp.answer('select filename from hookline_api.my_jobs', pg_temp.claims('eve'))$$,
  'a user without jobs sees none'
);
select results_eq(
  $$select * from pg_temp.answer(
      'select concat_ws('' '', filename, mime, bytes_len, status, attempt, finished, failed, error_code)
         from hookline_api.my_jobs
        where failed',
      pg_temp.claims('bob')
    )$$,
  $$values ('b2.pdf application/pdf 2 failed_parse 1 t t parse_failed')$$,
  'a failed job shows its error code'
);

select * from finish();
rollback;
