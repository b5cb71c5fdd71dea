begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(21);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
-- Later than a: jobs of one moment are claimed in any order.
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.make_job('b');
select pg_temp.make_parsed_job('c');
select is(pg_temp.claim(batch => 1), 'a', 'before');
select is(
  upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:00+00', reason => 'quota spent'),
  timestamptz '2026-01-01 13:00+00', 'answers until when'
);
select is(pg_temp.claim(), null, 'none is claimed');
select is(pg_temp.claim('parsed'), 'c', 'of that status');
select lives_ok(
  $$select upload_pipeline.heartbeat(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'))$$,
  'what is claimed goes on'
);
select is(
  upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 12:30+00', reason => 'shorter'),
  timestamptz '2026-01-01 13:00+00', 'the longer pause counts'
);
select is(
  (select paused_because from upload_pipeline.statuses where status = 'uploaded'), 'quota spent', 'and its reason'
);
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:30+00', reason => 'key revoked');
select is(
  (select paused_because from upload_pipeline.statuses where status = 'uploaded'), 'key revoked',
  'of a longer one its own'
);
select pg_temp.set_clock('2026-01-01 13:29:59.999+00');
select is(pg_temp.claim(), null, 'until then');
select pg_temp.set_clock('2026-01-01 13:30+00');
select is(pg_temp.claim(batch => 1), 'b', 'it ends by itself');
select upload_pipeline.release_lease(job_id => pg_temp.job('b'), lease_token => pg_temp.token('b'));
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-02-01 13:30+00', reason => repeat('x', 500));
select is(upload_pipeline.resume_stage(status => 'uploaded'), true, 'or by an operator');
select is(upload_pipeline.resume_stage(status => 'uploaded'), false, 'once');
select is(pg_temp.claim(), 'b', 'then it is claimed');

select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.pause_stage(status => 'parse_queued', until => '2026-01-02 13:00+00', reason => 'x');
select pg_temp.set_clock('2026-01-02 12:00+00');
select is(pg_temp.claim('parse_queued'), null, 'what is past its deadline is not asked about either');

select throws_ok(
  format('select upload_pipeline.pause_stage(status => %L, until => %L, reason => %L)', status, until, reason), 'UP006', null, name
)
  from (values
    ('a status that there is not', 'nowhere', '2026-01-02 13:00+00', 'x'),
    ('one of finished jobs', 'complete', '2026-01-02 13:00+00', 'x'),
    ('no end', 'uploaded', null, 'x'),
    ('more than 31 days', 'uploaded', '2026-02-02 12:00:01+00', 'x'),
    ('for ever', 'uploaded', 'infinity', 'x'),
    ('no reason', 'uploaded', '2026-01-02 13:00+00', null),
    ('too much of one', 'uploaded', '2026-01-02 13:00+00', repeat('x', 501))
  ) as refused (name, status, until, reason);

select * from finish();
rollback;
