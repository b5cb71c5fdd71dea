-- The default pipeline: uploaded -> parse_queued -> parse_ready -> parsed -> complete.
insert into upload_pipeline.statuses
  (status, initial, terminal, failed, claimable, has_content, announced, overdue_after, description)
values
  ('uploaded', true, false, false, true, false, false, interval '1 hour',
   'The upload of the file is done or under way. It is not submitted yet.'),
  ('parse_queued', false, false, false, false, false, false, interval '30 minutes', 'The parser has the file.'),
  ('parse_ready', false, false, false, true, false, false, interval '1 hour',
   'The parser has the result. A worker fetches it.'),
  ('parsed', false, false, false, true, true, true, null, 'The content is stored and recorded.'),
  ('complete', false, true, false, false, true, true, null, 'All work is done.'),
  ('failed_parse', false, true, true, false, false, true, null, 'Parsing failed for good.'),
  ('failed_stage', false, true, true, false, true, true, null, 'A stage after parsing failed for good.'),
  ('cancelled', false, true, false, false, false, true, null, 'An operator ended the job.')
on conflict do nothing;

insert into upload_pipeline.transitions (from_status, to_status, event_type) values
  ('uploaded', 'uploaded', 'stage_done'),
  ('uploaded', 'uploaded', 'operator'),
  ('uploaded', 'uploaded', 'retry'),
  ('uploaded', 'parse_queued', 'stage_started'),
  ('uploaded', 'parse_ready', 'stage_done'),
  ('uploaded', 'parse_ready', 'stage_error'),
  ('uploaded', 'parsed', 'stage_done'),
  ('uploaded', 'failed_parse', 'stage_error'),
  ('uploaded', 'cancelled', 'operator'),
  ('parse_queued', 'parse_queued', 'operator'),
  ('parse_queued', 'parse_queued', 'retry'),
  ('parse_queued', 'parse_ready', 'stage_done'),
  ('parse_queued', 'parse_ready', 'stage_error'),
  ('parse_queued', 'parsed', 'stage_done'),
  ('parse_queued', 'uploaded', 'retry'),
  ('parse_queued', 'failed_parse', 'stage_error'),
  ('parse_queued', 'cancelled', 'operator'),
  ('parse_ready', 'parse_ready', 'operator'),
  ('parse_ready', 'parse_ready', 'retry'),
  ('parse_ready', 'parse_ready', 'stage_done'),
  ('parse_ready', 'parsed', 'stage_done'),
  ('parse_ready', 'uploaded', 'retry'),
  ('parse_ready', 'failed_parse', 'stage_error'),
  ('parse_ready', 'cancelled', 'operator'),
  ('parsed', 'parsed', 'operator'),
  ('parsed', 'parsed', 'retry'),
  ('parsed', 'complete', 'finalized'),
  ('parsed', 'failed_stage', 'stage_error'),
  ('parsed', 'cancelled', 'operator'),
  ('failed_stage', 'parsed', 'retry'),
  ('failed_stage', 'cancelled', 'operator'),
  ('failed_parse', 'parse_ready', 'stage_done'),
  ('failed_parse', 'parsed', 'stage_done'),
  ('failed_parse', 'uploaded', 'retry'),
  ('failed_parse', 'cancelled', 'operator')
on conflict do nothing;

insert into upload_pipeline.event_codes (code, event_type, severity, to_status, reported, description) values
  ('job_created', 'stage_started', 'info', 'uploaded', false, 'The job was created.'),
  ('upload_confirmed', 'stage_done', 'info', null, false, 'The raw file is there, with its size and hash.'),
  ('parse_submitted', 'stage_started', 'info', 'parse_queued', false,
   'The provider accepted the file and gave it an id.'),
  ('parse_started', 'stage_started', 'info', 'parse_queued', true, 'The parser says that it works on the file.'),
  ('parse_ready', 'stage_done', 'info', 'parse_ready', true, 'The parser has the result.'),
  ('parse_partial', 'stage_done', 'warn', 'parse_ready', true, 'The parser has a result, but it is not complete.'),
  ('parse_ended', 'stage_error', 'warn', 'parse_ready', true,
   'The parser says that it failed. A worker asks for the reason.'),
  ('parse_truncated', 'stage_done', 'warn', null, false,
   'The text may be incomplete: the payload names pages that were cut, have failed or have no text.'),
  ('artifact_failed', 'stage_done', 'warn', null, false,
   'The job goes on without artifacts that it asked for: the payload says which and why.'),
  ('parse_completed', 'stage_done', 'info', 'parsed', true, 'The content is stored.'),
  ('parse_failed', 'stage_error', 'error', 'failed_parse', true, 'The parser could not parse the file.'),
  ('parse_cancelled', 'stage_error', 'error', 'failed_parse', true, 'The parse was cancelled at the provider.'),
  ('parse_restarted', 'retry', 'warn', null, false, 'Parsing failed in a way that may pass. Another attempt begins.'),
  ('fell_back', 'retry', 'warn', null, false,
   'A provider could not parse the file. Another attempt begins at the next provider.'),
  ('stage_retried', 'retry', 'warn', null, false, 'A try failed. The job is tried again after a pause.'),
  ('stage_deferred', 'retry', 'info', null, false,
   'The job was put off, and nobody failed: a rate limit, a result that cannot be read yet.'),
  ('lease_expired', 'retry', 'warn', null, false,
   'The worker sent no heartbeat in time. The job may be claimed again.'),
  ('stage_failed', 'stage_error', 'error', 'failed_stage', false, 'A stage after parsing failed for good.'),
  ('job_completed', 'finalized', 'info', 'complete', false, 'All work is done.'),
  ('job_retried', 'retry', 'info', null, false, 'An operator sent the job back for another attempt.'),
  ('job_released', 'operator', 'warn', null, false, 'An operator ended the lease of the job.'),
  ('job_cancelled', 'operator', 'warn', 'cancelled', false, 'An operator ended the job.')
on conflict do nothing;

update upload_pipeline.statuses as s
   set failure_code = f.code
  from (
    values ('uploaded', 'parse_failed'),
           ('parse_queued', 'parse_failed'),
           ('parse_ready', 'parse_failed'),
           ('parsed', 'stage_failed')
  ) as f (status, code)
 where s.status = f.status
   and s.failure_code is null;

-- A table cannot be altered while one of its deferred checks is pending.
set constraints upload_pipeline.failure_code_is_known, upload_pipeline.one_status_is_initial immediate;
