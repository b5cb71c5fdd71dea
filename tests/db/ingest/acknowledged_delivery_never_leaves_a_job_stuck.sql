-- An earlier implementation answered 200 to an unknown job, missing markdown, empty content and storage failures. The
-- job then was stuck for ever, or its paid parse was lost.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('a');
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => gen_random_uuid())$$,
  'UP001', null,
  'an unknown job is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => null)$$, 'UP008', null,
  'missing content is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '')$$, 'UP008', null,
  'empty content is refused'
);
select isnt(
  (select deadline_at from upload_pipeline.job_overview), null,
  'the job has a deadline, after which reconcile asks the provider'
);
select pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('a'), content => '# a');
select pg_temp.set_clock(clock_timestamp() + interval '1 day');
select results_eq(
  'select content from upload_pipeline.claim_contents()', $$values ('# a'::bytea)$$,
  'after a storage failure the drain claims the content'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)), 'applied parsed 3 event #1 + .md',
  'the drain can finish it'
);
select is(
  (select string_agg(status, ' ' order by status) from upload_pipeline.statuses
    where not terminal and not claimable and overdue_after is null),
  null, 'every unfinished status that workers cannot claim has a deadline'
);

select * from finish();
rollback;
