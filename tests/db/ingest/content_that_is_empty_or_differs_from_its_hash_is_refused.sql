begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_sha256 => pg_temp.sha('# b'))$$,
  'UP008', null, 'another hash'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_bytes => 4)$$,
  'UP008', null, 'another size'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '', content_bytes => 0,
      content_sha256 => pg_temp.sha(''))$$,
  'UP008', null, 'empty, though its hash and size are true'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => null)$$, 'UP008', null, 'none'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '', recognised => false)$$,
  'UP008', null, 'empty, of unknown shape'
);
select is_empty('select * from upload_pipeline.contents', 'nothing is kept');
select is_empty('select * from upload_pipeline.webhook_deliveries', 'nothing is written down');
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', content_sha256 => pg_temp.sha('# a'), content_bytes => 3
  )),
  'kept uploaded 2 #1 + .md', 'the true ones are taken'
);

select * from finish();
rollback;
