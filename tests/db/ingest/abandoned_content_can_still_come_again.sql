begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(12);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.announce(delivery_id text) returns text
language sql as $$
  select pg_temp.summary(pg_temp.receive_content(
    delivery_id => announce.delivery_id, job_id => pg_temp.job('a'), content => null,
    content_sha256 => pg_temp.sha('# a'), content_bytes => 3, parse_job_id => 'p1'
  ));
$$;
select pg_temp.announce('d1');

select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'awaited parse_queued 3 #1 + .md',
  'while the content is awaited, a retry would be paid twice'
);
select pg_temp.set_clock('2026-01-01 12:00:30+00');
select results_eq(
  'select ordinal, content from upload_pipeline.claim_contents()', $$values (1, null::bytea)$$,
  'after 30 seconds the drain looks whether the object is there'
);
select upload_pipeline.abandon_content(job_id => pg_temp.job('a'), ordinal => 1);
select pg_temp.set_clock('2026-01-02 12:00+00');
select is_empty('select * from upload_pipeline.claim_contents()', 'what is abandoned is not looked for again');
select is_empty(
  $$select * from upload_pipeline.queue_health where queue = 'content: to store' and waiting > 0$$, 'it waits no longer'
);
select is(pg_temp.announce('d1'), 'awaited parse_queued 3 #1 + .md', 'the sender''s retry gets the same path');
select pg_temp.set_clock('2026-01-02 12:00:30+00');
select is((select count(*) from upload_pipeline.claim_contents()), 1::bigint, 'it is awaited again');
select pg_temp.announce('d1');
select upload_pipeline.abandon_content(job_id => pg_temp.job('a'), ordinal => 1);
select pg_temp.set_clock('2026-01-02 12:01+00');
select is(
  (select count(*) from upload_pipeline.claim_contents()), 1::bigint,
  'what came again after a drain had looked for it is looked for again'
);
select upload_pipeline.abandon_content(job_id => pg_temp.job('a'), ordinal => 1);
select is(
  pg_temp.summary(upload_pipeline.keep_content(job_id => pg_temp.job('a'), ordinal => 1, content => '# a')),
  'kept parse_queued 3 #1 + .md', 'a writer that fails late can still have the bytes kept'
);
select upload_pipeline.abandon_content(job_id => pg_temp.job('a'), ordinal => 1);
select pg_temp.set_clock('2026-01-02 12:01:30+00');
select is((select count(*) from upload_pipeline.claim_contents()), 1::bigint, 'kept bytes are never abandoned');
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'a writer that wakes late can still finish'
);
select lives_ok(
  $$select upload_pipeline.abandon_content(job_id => gen_random_uuid(), ordinal => 1)$$,
  'content of an erased document may be abandoned'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
