-- A status that is not claimable, where a worker came by keep_lease: without a lease it waits for a deadline of 30 minutes.
begin;
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
-- The way back by retry is in place.
delete from upload_pipeline.transitions where (from_status, to_status, event_type) = ('parse_queued', 'uploaded', 'retry');
insert into upload_pipeline.transitions values ('parse_queued', 'parse_queued', 'stage_done');
select pg_temp.make_job(name) from unnest(array['released', 'released by an operator', 'retried', 'deferred', 'failed', 'advanced', 'kept', 'expired', 'stuck']) as name;
-- Each is held in parse_queued, by a lease that lasts.
create function pg_temp.hold(name text) returns text
language plpgsql as $$
begin
  perform pg_temp.claim(batch => 100, lease => '1 day');
  return (upload_pipeline.advance_job(
    job_id => pg_temp.job(hold.name), lease_token => pg_temp.token(hold.name), code => 'parse_started', keep_lease => true
  )).status;
end;
$$;
select is(
  (select string_agg(distinct pg_temp.hold(n.name), ' ')
     from named_jobs as n where n.name <> 'stuck'),
  'parse_queued', 'each job is held in a status that is not claimable'
);
select is(pg_temp.claim('parse_queued', lease => '1 day'), null, 'nobody else may claim one');

select upload_pipeline.release_lease(job_id => pg_temp.job('released'), lease_token => pg_temp.token('released'));
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'released', 'release_lease leaves the job to any worker');

select upload_pipeline.release_job(job_id => pg_temp.job('released by an operator'));
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'released by an operator', 'so does release_job');

select upload_pipeline.retry_job(job_id => pg_temp.job('retried'));
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'retried', 'so does retry_job');

select upload_pipeline.defer_job(
  job_id => pg_temp.job('deferred'), lease_token => pg_temp.token('deferred'), error => '{"code": "a", "error": "b"}',
  until => '2026-01-01 12:00+00'
);
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'deferred', 'so does defer_job, at the time that it names');

select upload_pipeline.advance_job(
  job_id => pg_temp.job('advanced'), lease_token => pg_temp.token('advanced'), code => 'parse_truncated'
);
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'advanced', 'so does a step that keeps the status');

select upload_pipeline.advance_job(
  job_id => pg_temp.job('kept'), lease_token => pg_temp.token('kept'), code => 'parse_truncated', keep_lease => true
);
select is(
  (select deadline_at from upload_pipeline.job_overview where job_id = pg_temp.job('kept')), timestamptz '2026-01-01 12:30+00',
  'a step that keeps the lease leaves the deadline'
);

select pg_temp.fail('failed');
select is(pg_temp.claim('parse_queued', lease => '1 day'), null, 'a failed try backs off');
select pg_temp.set_clock('2026-01-01 12:00:05+00');
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'failed', 'and then it is claimed');

create function pg_temp.expire(name text) returns void
language sql as $$
  update upload_pipeline.upload_jobs as j
     set leased_until = upload_pipeline.clock() - interval '1 s'
   where j.job_id = pg_temp.job(expire.name)
$$;
select pg_temp.expire('expired');
select pg_temp.claim('parsed');
select pg_temp.set_clock('2026-01-01 12:01+00');
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'expired', 'so is a job whose lease ran out');

-- A stage without its retry in place: the sweep ends the lease without a step.
select pg_temp.hold('stuck');
delete from upload_pipeline.transitions where (from_status, to_status, event_type) = ('uploaded', 'uploaded', 'retry');
update upload_pipeline.transitions set enabled = false where (from_status, to_status, event_type) = ('parse_queued', 'parse_queued', 'retry');
select pg_temp.expire('stuck');
select pg_temp.claim('parsed');
select pg_temp.set_clock('2026-01-01 12:06:10+00');
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'stuck', 'and one whose stage lacks a step, after the longest pause');

-- A way back that leads to a status that is not claimable.
delete from upload_pipeline.transitions where (from_status, to_status, event_type) = ('failed_parse', 'uploaded', 'retry');
insert into upload_pipeline.transitions values ('failed_parse', 'parse_queued', 'retry');
select pg_temp.make_job('failed for good');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('failed for good'));
select upload_pipeline.retry_job(job_id => pg_temp.job('failed for good'));
select is(pg_temp.claim('parse_queued', lease => '1 day'), 'failed for good', 'a retry that leads to such a status is claimed at once');

select * from finish();
rollback;
