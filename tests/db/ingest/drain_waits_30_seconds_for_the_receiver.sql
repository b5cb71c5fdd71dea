begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');

select pg_temp.set_clock('2026-01-01 12:00:29.999+00');
select is_empty(
  $$select * from upload_pipeline.claim_contents(batch => 10)$$, 'nothing is claimed within 30 seconds of its arrival'
);
select pg_temp.set_clock('2026-01-01 12:00:30+00');
select results_eq(
  $$select job_id, ordinal, path, content, tries from upload_pipeline.claim_contents(batch => 10)$$,
  $$values (pg_temp.job('a'), 1, format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')), '# a'::bytea, 1)$$,
  'after 30 seconds it is claimed, with all that a write needs'
);
select is_empty($$select * from upload_pipeline.claim_contents(batch => 10)$$, 'it is claimed only once');
select pg_temp.set_clock('2026-01-01 12:01:00+00');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select pg_temp.set_clock('2026-01-01 12:01:29+00');
select is_empty(
  $$select * from upload_pipeline.claim_contents(batch => 10)$$, 'a redelivery gives the receiver 30 seconds again'
);
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select pg_temp.set_clock('2026-01-02 12:00:00+00');
select is_empty($$select * from upload_pipeline.claim_contents(batch => 10)$$, 'stored content is never claimed');

select * from finish();
rollback;
