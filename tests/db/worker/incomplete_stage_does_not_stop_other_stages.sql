-- Users add stages as rows. If the self-loop or the transition to the failure is missing, a crashed job of it must not
-- make every claim of every stage fail.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(12);

select pg_temp.set_clock('2026-01-01 12:00+00');
insert into upload_pipeline.statuses (status, claimable, has_content, description) values ('mine', true, true, 'Mine.');
insert into upload_pipeline.event_codes (code, event_type, severity, to_status, description)
values ('mine_started', 'stage_started', 'info', 'mine', 'Began.');
insert into upload_pipeline.transitions (from_status, to_status, event_type)
values ('parsed', 'mine', 'stage_started'), ('mine', 'cancelled', 'operator');
select pg_temp.make_parsed_job('a');
select pg_temp.claim('parsed');
select upload_pipeline.advance_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), code => 'mine_started', keep_lease => true
);
select pg_temp.make_job('other');

select results_eq(
  $$select subject, detail from upload_pipeline.alerts where alert = 'stage_incomplete'$$,
  $$values ('mine', 'There is no enabled step to mine by retry, so a failed try here is not counted')$$,
  'an alert names the missing retry transition'
);
select throws_ok($$select pg_temp.fail('a')$$, 'UP002', null, 'fail_job of such a job is refused');
select pg_temp.set_clock('2026-01-01 12:02+00');
select is(pg_temp.claim(), 'other', 'other stages are claimed');
select results_eq(
  $$select status, leased_by, last_error ->> 'code', run_after from upload_pipeline.job_overview where job_id = pg_temp.job('a')$$,
  $$values ('mine', null::text, 'lease_expired', timestamptz '2026-01-01 12:07+00')$$,
  'the lease is swept, and the job waits for the longest backoff'
);
select is(
  (select count(*) from upload_pipeline.events where job_id = pg_temp.job('a')), 4::bigint, 'the sweep inserts no event'
);
select pg_temp.set_clock('2026-01-01 12:07+00');
select is(pg_temp.claim('mine'), 'a', 'after the backoff the job is claimed again');
insert into upload_pipeline.transitions (from_status, to_status, event_type) values ('mine', 'mine', 'retry');
update upload_pipeline.statuses set failure_code = 'stage_failed', max_tries = 1 where status = 'mine';
select is(
  (select detail from upload_pipeline.alerts where alert = 'stage_incomplete'),
  'There is no enabled step to failed_stage by stage_error, so a failed try here is not counted',
  'an alert names the missing failure transition'
);
select pg_temp.set_clock('2026-01-01 12:09+00');
select lives_ok($$select pg_temp.claim('parse_ready')$$, 'a crashed job of the incomplete stage does not stop a claim');
insert into upload_pipeline.transitions (from_status, to_status, event_type) values ('mine', 'failed_stage', 'stage_error');
select is_empty(
  $$select from upload_pipeline.alerts where alert = 'stage_incomplete'$$, 'a complete stage has no alert'
);

-- A failure that leads to a status with content, where the job has none.
update upload_pipeline.statuses set failure_code = 'stage_failed', max_tries = 1 where status = 'uploaded';
insert into upload_pipeline.transitions (from_status, to_status, event_type) values ('uploaded', 'failed_stage', 'stage_error');
select pg_temp.make_job('bare');
select pg_temp.claim() from generate_series(1, 2);
select throws_ok($$select pg_temp.fail('bare')$$, 'UP002', null, 'without content it is refused');
select is(
  (select subject || ': ' || detail from upload_pipeline.alerts where alert = 'stage_incomplete'),
  'uploaded: Its failure_code stage_failed leads to failed_stage, where jobs have content, and a job here may have none, so '
    'its failure cannot be recorded',
  'an alert names it'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
