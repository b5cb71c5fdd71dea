-- The default pipeline: uploaded -> parse_queued -> parse_ready -> parsed -> complete.
insert into upload_pipeline.statuses
  (status, initial, terminal, failed, claimable, has_content, overdue_after, description)
values
  ('uploaded', true, false, false, true, false, interval '1 hour', 'The file is there, or on its way; not yet submitted.'),
  ('parse_queued', false, false, false, false, false, interval '30 minutes', 'The parser has it.'),
  ('parse_ready', false, false, false, true, false, interval '1 hour', 'The parser has the result; ours to fetch.'),
  ('parsed', false, false, false, true, true, null, 'The content is stored and recorded.'),
  ('complete', false, true, false, false, true, null, 'Nothing more to do.'),
  ('failed_parse', false, true, true, false, false, null, 'The parser gave up, or we did.'),
  ('cancelled', false, true, false, false, false, null, 'An operator ended it.')
on conflict do nothing;

insert into upload_pipeline.transitions (from_status, to_status, event_type) values
  ('uploaded', 'uploaded', 'stage_done'),
  ('uploaded', 'uploaded', 'operator'),
  ('uploaded', 'parse_queued', 'stage_started'),
  ('uploaded', 'parse_ready', 'stage_done'),
  ('uploaded', 'parsed', 'stage_done'),
  ('uploaded', 'failed_parse', 'stage_error'),
  ('uploaded', 'cancelled', 'operator'),
  ('parse_queued', 'parse_queued', 'operator'),
  ('parse_queued', 'parse_ready', 'stage_done'),
  ('parse_queued', 'parsed', 'stage_done'),
  ('parse_queued', 'uploaded', 'retry'),
  ('parse_queued', 'failed_parse', 'stage_error'),
  ('parse_queued', 'cancelled', 'operator'),
  ('parse_ready', 'parse_ready', 'operator'),
  ('parse_ready', 'parsed', 'stage_done'),
  ('parse_ready', 'uploaded', 'retry'),
  ('parse_ready', 'failed_parse', 'stage_error'),
  ('parse_ready', 'cancelled', 'operator'),
  ('parsed', 'parsed', 'operator'),
  ('parsed', 'complete', 'finalized'),
  ('parsed', 'cancelled', 'operator'),
  ('failed_parse', 'parse_ready', 'stage_done'),
  ('failed_parse', 'parsed', 'stage_done'),
  ('failed_parse', 'uploaded', 'retry'),
  ('failed_parse', 'cancelled', 'operator')
on conflict do nothing;

insert into upload_pipeline.event_codes (code, event_type, severity, to_status, reported, description) values
  ('job_created', 'stage_started', 'info', 'uploaded', false, 'The job was born.'),
  ('upload_confirmed', 'stage_done', 'info', null, false, 'The raw file is there, with its size and hash.'),
  ('parse_submitted', 'stage_started', 'info', 'parse_queued', false, 'The provider took it and gave it an id.'),
  ('parse_started', 'stage_started', 'info', 'parse_queued', true, 'The parser says that it works on it.'),
  ('parse_ready', 'stage_done', 'info', 'parse_ready', true, 'The parser has the result.'),
  ('parse_partial', 'stage_done', 'warn', 'parse_ready', true, 'The parser has a result that is not whole.'),
  ('parse_completed', 'stage_done', 'info', 'parsed', true, 'The content is stored.'),
  ('parse_failed', 'stage_error', 'error', 'failed_parse', true, 'The parser could not parse it.'),
  ('parse_cancelled', 'stage_error', 'error', 'failed_parse', true, 'The parse was cancelled at the provider.'),
  ('job_completed', 'finalized', 'info', 'complete', false, 'Nothing more to do.'),
  ('job_retried', 'retry', 'info', null, false, 'An operator sent it back for another attempt.'),
  ('job_released', 'operator', 'warn', null, false, 'An operator ended its lease.'),
  ('job_cancelled', 'operator', 'warn', 'cancelled', false, 'An operator ended it.')
on conflict do nothing;
