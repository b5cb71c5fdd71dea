begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(22);

select pg_temp.make_job('a');

select results_eq(
  format('select * from pg_temp.answer(%L, %L)', statement, claims), array[answer], claims || ': ' || name
)
  from (
    values
      ('', null), ('{}', null), ('{"role": "authenticated"}', null), ('{"sub": null}', null), ('{"sub": ""}', '22P02'),
      ('{"sub": "nobody"}', '22P02'), ('nobody', '22P02')
  ) as token (claims, sqlstate),
  lateral (
    values
      (
        'no jobs', 'select count(*)::text from hookline_api.my_jobs',
        case when sqlstate is null then '0' end
      ),
      (
        'no events', 'select count(*)::text from hookline_api.my_events',
        case when sqlstate is null then '0' end
      ),
      (
        'no new job',
        $$select outcome from hookline_api.create_job(
            filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1, file_sha256 => repeat('a', 64)
          )$$,
        case when sqlstate is null
          then 'UP006 cannot create a job for file ''a.pdf'' null value in column "owner_id" of relation "documents" '
            'violates not-null constraint'
        end
      )
  ) as asked (name, statement, said),
  lateral (
    select coalesce(
      said,
      (select a.answer from pg_temp.answer(statement, claims) as a (answer) where a.answer ~ ('^' || sqlstate)),
      'an error ' || sqlstate
    )
  ) as expected (answer);
select is((select count(*) from upload_pipeline.upload_jobs), 1::bigint, 'no job was created');

select * from finish();
rollback;
