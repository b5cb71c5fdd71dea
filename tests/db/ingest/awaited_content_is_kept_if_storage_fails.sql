begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(10);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.keep(content bytea) returns text
language sql as $$
  select pg_temp.summary(upload_pipeline.keep_content(
    job_id => pg_temp.job('a'), ordinal => 1, content => keep.content
  ));
$$;
select throws_ok($$select pg_temp.keep('# a')$$, 'UP001', null, 'content that has no path is refused');
select pg_temp.receive_content(
  delivery_id => 'd1', job_id => pg_temp.job('a'), content => null, content_sha256 => pg_temp.sha('# a'),
  content_bytes => 3
);

select throws_ok($$select pg_temp.keep('# b')$$, 'UP008', null, 'other bytes are refused');
select throws_ok($$select pg_temp.keep(null)$$, 'UP008', null, 'no bytes are refused');
select is(pg_temp.keep('# a'), 'kept uploaded 2 #1 + .md', 'the bytes are kept');
select is(pg_temp.delivery('d1'), 'kept a x1 #1', 'the delivery says so');
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => null, content_sha256 => pg_temp.sha('# a'),
    content_bytes => 3
  )),
  'kept uploaded 2 #1 + .md', 'a redelivery without bytes leaves them where they are'
);
select pg_temp.set_clock('2026-01-01 12:00:30+00');
select results_eq(
  'select content, content_sha256 from upload_pipeline.claim_contents()', $$values ('# a'::bytea, pg_temp.sha('# a'))$$,
  'the drain gets them'
);
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select is(pg_temp.keep('# a'), 'duplicate parsed 3 #1 + .md', 'bytes that come after the object is stored are not kept');
select is((select count(content) from upload_pipeline.contents), 0::bigint, 'no bytes are left');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
