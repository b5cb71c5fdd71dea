begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.make_job('a');
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_sha256 => pg_temp.sha('# b'))$$,
  'UP008', null, 'content with another hash is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_bytes => 4)$$,
  'UP008', null, 'content with another size is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '', content_bytes => 0,
      content_sha256 => pg_temp.sha(''))$$,
  'UP008', null, 'empty content is refused even with the right hash and size'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => null)$$, 'UP008', null,
  'null content is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => null, content_bytes => 3)$$,
  'UP008', null, 'null content without a hash is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => null, content_bytes => 3,
      content_sha256 => 'a')$$,
  'UP008', null, 'null content with a malformed hash is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => null, content_bytes => 3,
      content_sha256 => pg_temp.sha('# a'), recognised => false)$$,
  'UP008', null, 'null content of unknown shape is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '', recognised => false)$$,
  'UP008', null, 'empty content of unknown shape is refused'
);
select is_empty('select * from upload_pipeline.contents', 'no content is kept');
select is_empty('select * from upload_pipeline.webhook_deliveries', 'no delivery is recorded');
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_sha256 => pg_temp.sha('# a'), content_bytes => 3
  )),
  'kept uploaded 2 #1 + .md', 'content with the right hash and size is kept'
);

select * from finish();
rollback;
