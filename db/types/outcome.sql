create domain upload_pipeline.outcome as text
  constraint outcome_is_known check (
    value in ('applied', 'awaited', 'kept', 'unrecognised', 'duplicate', 'stale', 'ignored', 'parked')
  );

comment on domain upload_pipeline.outcome is
  'What a call did. applied: the job moved, or the request was carried out. awaited: the caller has the content and '
  'writes it to storage now. kept: the content is safe in Postgres and waits for storage. unrecognised: the content '
  'is kept, but its shape is unknown and an operator decides. duplicate: this was applied before. stale: it belongs '
  'to an earlier attempt, or the job has moved past it. ignored: there was nothing to do. parked: its provider job is '
  'not known yet; record_submission will apply it.';
