begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(22);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
-- Job b is later than a, since jobs of the same moment are claimed in any order.
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.make_job('b');
select pg_temp.make_parsed_job('c');
select is(pg_temp.claim(batch => 1), 'a', 'before the pause a job is claimed');
select is(
  upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:00+00', reason => 'quota spent'),
  timestamptz '2026-01-01 13:00+00', 'pause_stage returns the end of the pause'
);
select is(pg_temp.claim(), null, 'a paused status is not claimed');
select is(pg_temp.claim('parsed'), 'c', 'other statuses are claimed');
select lives_ok(
  $$select upload_pipeline.heartbeat(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'))$$,
  'a job that is already claimed can be continued'
);
select is(
  upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 12:30+00', reason => 'shorter'),
  timestamptz '2026-01-01 13:00+00', 'a shorter pause does not shorten the current one'
);
select is(
  (select paused_because from upload_pipeline.statuses where status = 'uploaded'), 'quota spent', 'a shorter pause does not change the reason'
);
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:30+00', reason => 'key revoked');
select is(
  (select paused_because from upload_pipeline.statuses where status = 'uploaded'), 'key revoked',
  'a longer pause sets its own reason'
);
select pg_temp.set_clock('2026-01-01 13:29:59.999+00');
select is(pg_temp.claim(), null, 'the pause lasts until its end');
select pg_temp.set_clock('2026-01-01 13:30+00');
select is(pg_temp.claim(batch => 1), 'b', 'after its end jobs are claimed without resume_stage');
select upload_pipeline.release_lease(job_id => pg_temp.job('b'), lease_token => pg_temp.token('b'));
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-02-01 13:30+00', reason => repeat('x', 500));
select upload_pipeline.pause_stage(status => 'parsed', until => '2026-02-01 13:30+00', reason => 'another');
select is(upload_pipeline.resume_stage(status => 'uploaded'), true, 'resume_stage ends a pause');
select bag_eq(
  'select status from upload_pipeline.statuses where paused_until is not null', array['parsed'],
  'another stage stays paused'
);
select is(upload_pipeline.resume_stage(status => 'uploaded'), false, 'resume_stage of a running stage returns false');
select is(pg_temp.claim(), 'b', 'after resume_stage the job is claimed');

select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.pause_stage(status => 'parse_queued', until => '2026-01-02 13:00+00', reason => 'x');
select pg_temp.set_clock('2026-01-02 12:00+00');
select is(pg_temp.claim('parse_queued'), null, 'jobs past their deadline are not claimed while their status is paused');

select throws_ok(
  format('select upload_pipeline.pause_stage(status => %L, until => %L, reason => %L)', status, until, reason), 'UP006', null,
  name || ' is refused'
)
  from (values
    ('an unknown status', 'nowhere', '2026-01-02 13:00+00', 'x'),
    ('a terminal status', 'complete', '2026-01-02 13:00+00', 'x'),
    ('a null end', 'uploaded', null, 'x'),
    ('a pause of more than 31 days', 'uploaded', '2026-02-02 12:00:01+00', 'x'),
    ('a pause until infinity', 'uploaded', 'infinity', 'x'),
    ('a null reason', 'uploaded', '2026-01-02 13:00+00', null),
    ('a reason of 501 characters', 'uploaded', '2026-01-02 13:00+00', repeat('x', 501))
  ) as refused (name, status, until, reason);

select * from finish();
rollback;
