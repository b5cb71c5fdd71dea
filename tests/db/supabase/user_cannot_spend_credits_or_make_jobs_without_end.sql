begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(14);

create function pg_temp.make(file text, by text default 'ada') returns text
language sql as $$
  select a
    from pg_temp.answer(
      format(
        'select concat_ws('' '', outcome, status) from hookline_api.create_job(
           filename => %L, mime => ''application/pdf'', bytes_len => %s, file_sha256 => %L)',
        make.file || '.pdf', octet_length(make.file), pg_temp.sha(convert_to(make.file, 'UTF8'))
      ),
      pg_temp.claims(make.by)
    ) as a
$$;

-- Another run of a file that was uploaded.
select pg_temp.make_job('parsed'), pg_temp.make_job('failed'), pg_temp.make_job('cancelled'), pg_temp.make_job('other', owner => 'bob');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('parsed'), content => '# x');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select pg_temp.claim('parsed');
select upload_pipeline.advance_job(job_id => pg_temp.job('parsed'), lease_token => pg_temp.token('parsed'), code => 'job_completed');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('failed'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select is(pg_temp.make('parsed'), 'duplicate complete', 'a user gets the finished job of a file that is parsed');
select is(pg_temp.make('failed'), 'duplicate failed_parse', 'the failed job of a file that could not be parsed');
select is(pg_temp.make('cancelled'), 'duplicate cancelled', 'and the cancelled job of one that an operator stopped');
select is(pg_temp.make('other'), 'applied uploaded', 'the same file of another owner is not theirs');
select is((select count(*) from upload_pipeline.upload_jobs), 5::bigint, 'no other job is made');
select is(
  (upload_pipeline.create_job(
     owner_id => pg_temp.owner('ada'), filename => 'parsed.pdf', mime => 'application/pdf', bytes_len => 6,
     file_sha256 => pg_temp.sha('parsed'), raw_path => 'storage://raw/ada/parsed.pdf'
   )).outcome::text,
  'applied', 'the backend may order another run'
);
select is(pg_temp.make('parsed'), 'duplicate uploaded', 'which the user gets, too');

-- Uploads that are begun and never finished. One is begun above.
select is(
  (select string_agg(distinct pg_temp.make('file ' || n), ' ') from generate_series(2, 100) as n), 'applied uploaded',
  'a user may begin a hundred uploads'
);
select matches(
  pg_temp.make('file 101'), '^UP021 owner [-0-9a-f]+ has begun 100 uploads that are not confirmed', 'and not another one'
);
select is(
  (select count(*) from upload_pipeline.documents where filename = 'file 101.pdf'), 0::bigint, 'of which nothing is kept'
);
select is(pg_temp.make('file 7'), 'duplicate uploaded', 'a file that is announced already is a duplicate');
select is(pg_temp.make('file 101', by => 'bob'), 'applied uploaded', 'another user has a hundred of their own');
select upload_pipeline.confirm_upload(job_id => j.job_id, bytes_len => d.bytes_len, file_sha256 => d.file_sha256)
  from upload_pipeline.documents as d
  join upload_pipeline.upload_jobs as j on j.document_id = d.document_id
 where d.filename = 'file 7.pdf';
select is(pg_temp.make('file 101'), 'applied uploaded', 'a confirmed upload makes room');
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
