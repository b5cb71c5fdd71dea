begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a')),
  'kept uploaded 2 #1 + .md', 'the second shares the content of the first'
);
select is((select count(*) from upload_pipeline.contents), 1::bigint, 'one row');
select is(
  (upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)).outcome::text, 'applied', 'finished once'
);
select is(
  (upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)).outcome::text, 'duplicate', 'and once more'
);
select is(pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'applied a x1 #1, applied a x1 #1', 'both are applied');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# a')),
  'duplicate parsed 3', 'a third delivery, after the end, is a duplicate'
);
select is(pg_temp.delivery('d3'), 'duplicate a x1', 'and written down as one');
select is((select count(*) from upload_pipeline.events where code = 'parse_completed'), 1::bigint, 'one event');

select * from finish();
rollback;
