begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(12);

create function pg_temp.make(by text, file text, named text default null) returns text
language sql as $$
  select a
    from pg_temp.answer(
      format(
        'select concat_ws('' '', outcome, status, raw_path, job_id, document_id)
           from hookline_api.create_job(filename => %L, mime => ''application/pdf'', bytes_len => %s, file_sha256 => %L)',
        coalesce(make.named, make.file || '.pdf'), octet_length(make.file), pg_temp.sha(convert_to(make.file, 'UTF8'))
      ),
      pg_temp.claims(make.by)
    ) as a
$$;
create temporary table made (n integer generated always as identity, answer text);
insert into made (answer) values (pg_temp.make(by => 'ada', file => 'f'));
insert into made (answer) values (pg_temp.make(by => 'ada', file => 'f', named => 'again.pdf'));
insert into made (answer) values (pg_temp.make(by => 'bob', file => 'f'));
create temp view said as
  select n, split_part(answer, ' ', 1) as outcome, split_part(answer, ' ', 2) as status,
         split_part(answer, ' ', 3) as raw_path, split_part(answer, ' ', 4)::uuid as job_id,
         split_part(answer, ' ', 5)::uuid as document_id
    from made;

select results_eq(
  'select outcome, status from said order by n',
  $$values ('applied', 'uploaded'), ('duplicate', 'uploaded'), ('applied', 'uploaded')$$,
  'a new file makes a job, the same file again is a duplicate, and another user gets their own job'
);
select is(
  (select raw_path from said where n = 1),
  format('storage://raw/%s/%s', pg_temp.owner('ada'), pg_temp.sha('f')), 'the raw path is in the user''s own folder'
);
select is(
  (select raw_path from said where n = 3),
  format('storage://raw/%s/%s', pg_temp.owner('bob'), pg_temp.sha('f')), 'the raw path of another user is in theirs'
);
select is((select count(distinct job_id) from said where n < 3), 1::bigint, 'the second call returns the first job');
select isnt(
  (select document_id from said where n = 3), (select document_id from said where n = 1),
  'the same file of another owner is another document'
);
select set_eq(
  'select document_id, owner_id, raw_path, upload_confirmed from upload_pipeline.documents',
  $$select document_id, pg_temp.owner(case n when 1 then 'ada' else 'bob' end), raw_path, false
      from said where n <> 2$$,
  'each document belongs to its caller'
);
select is(
  (select string_agg(filename, ', ' order by filename) from upload_pipeline.documents), 'again.pdf, f.pdf',
  'the file name may change until the upload is confirmed'
);
select is_empty(
  'select path from upload_pipeline.deletions', 'the path stays the same, so nothing is queued for deletion'
);

-- A confirmed file keeps its path.
select pg_temp.make_job('kept', owner => 'ada');
select upload_pipeline.cancel_job(job_id => pg_temp.job('kept'));
insert into made (answer) values (pg_temp.make(by => 'ada', file => 'kept'));
select is(
  (select raw_path from said where n = 4), 'storage://raw/ada/kept.pdf',
  'create_job of a confirmed file returns the path that the backend chose'
);
select is(
  (select raw_path from upload_pipeline.documents where document_id = pg_temp.document('kept')),
  'storage://raw/ada/kept.pdf', 'the document keeps that path'
);

select throws_ok(
  $$select hookline_api.create_job(
      owner_id => pg_temp.owner('bob'), filename => 'a.pdf', mime => 'application/pdf', bytes_len => 1::bigint,
      file_sha256 => repeat('a', 64)
    )$$,
  '42883', null, 'a user cannot name another owner: the function has no such argument'
);
select results_eq(
  $$select a
      from pg_temp.answer(
        'select outcome
           from hookline_api.create_job(
             owner_id => pg_temp.owner(''bob''), filename => ''a.pdf'', mime => ''application/pdf'',
             bytes_len => 1, file_sha256 => repeat(''a'', 64), raw_path => ''storage://raw/x''
           )',
        pg_temp.claims('ada')
      ) as a$$,
  array['42501 permission denied for function create_job'], 'the function that has the argument is only for the backend'
);

select * from finish();
rollback;
