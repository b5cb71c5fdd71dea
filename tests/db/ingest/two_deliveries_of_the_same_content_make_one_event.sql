begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a')),
  'kept uploaded 2 #1 + .md', 'the second delivery shares the content of the first'
);
select is((select count(*) from upload_pipeline.contents), 1::bigint, 'there is one content');
select is(
  (upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)).outcome::text, 'applied', 'finishing it is applied'
);
select is(
  (upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)).outcome::text, 'duplicate', 'finishing it again is a duplicate'
);
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'applied a x1 #1, applied a x1 #1',
  'both deliveries are applied'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# a')),
  'duplicate parsed 3', 'a third delivery after finish_content is a duplicate'
);
select is(pg_temp.delivery('d3'), 'duplicate a x1', 'the third delivery is recorded as a duplicate');
select is(
  (select count(*) from upload_pipeline.events where code = 'parse_completed'), 1::bigint, 'there is one event'
);

select * from finish();
rollback;
