begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(17);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => '{"odd": 1}', recognised => false, correlation_id => 'theirs',
    details => '{"parser_name": "lp"}'
  )),
  'unrecognised uploaded 2 #1', 'content of unknown shape is kept without a path'
);
select pg_temp.set_clock(clock_timestamp() + interval '1 day');
select is_empty($$select path from upload_pipeline.claim_contents(batch => 10)$$, 'the drain does not claim it');
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'finish_content is refused'
);
select is(
  upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1), '{"odd": 1}'::bytea, 'an operator can read it'
);
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => pg_temp.job('a'), ordinal => 1, markdown => '')$$,
  'UP008', null, 'accept_content refuses empty markdown'
);
select is(
  pg_temp.summary(upload_pipeline.accept_content(job_id => pg_temp.job('a'), ordinal => 1, markdown => '# odd')),
  'kept uploaded 2 #2 + .md', 'accept_content keeps the given markdown as new content'
);
select is(pg_temp.delivery('d1'), 'kept a x1 #2', 'the delivery now refers to the accepted content');
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => pg_temp.job('a'), ordinal => 1, markdown => '# odd')$$,
  'UP001', null, 'it cannot be accepted twice'
);
select throws_ok(
  $$select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'it cannot be discarded after it was accepted'
);
select pg_temp.set_clock(clock_timestamp() + interval '2 days');
select results_eq(
  $$select ordinal, content from upload_pipeline.claim_contents(batch => 10)$$, $$values (2, '# odd'::bytea)$$,
  'the drain claims the accepted content'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 2)),
  'applied parsed 3 event #2 + .md', 'finishing it makes the job parsed'
);
select results_eq(
  $$select payload ->> 'parser_name', payload ->> 'accepted_by', correlation_id::text from upload_pipeline.events
     where code = 'parse_completed'$$,
  $$values ('lp', session_user::text collate "default", 'theirs')$$, 'the event says who accepted it'
);
select is(pg_temp.delivery('d1'), 'applied a x1 #2', 'the delivery is recorded as applied');
-- The job has gone on to another attempt, which the content does not answer.
select pg_temp.make_job('b');
select pg_temp.receive_content(
  delivery_id => 'd2', job_id => pg_temp.job('b'), content => '{"odd": 2}', recognised => false
);
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => pg_temp.job('b'), ordinal => 1, markdown => '# odd')$$,
  'UP002', null, 'content of an ended attempt cannot be accepted'
);
select is(
  upload_pipeline.read_content(job_id => pg_temp.job('b'), ordinal => 1), '{"odd": 2}'::bytea, 'its bytes stay'
);
select is(pg_temp.delivery('d2'), 'unrecognised b x1 #1', 'and it still waits for a decision');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
