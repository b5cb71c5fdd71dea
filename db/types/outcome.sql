create domain upload_pipeline.outcome as text
  constraint outcome_is_known check (
    value in ('applied', 'kept', 'unrecognised', 'duplicate', 'stale', 'ignored', 'parked')
  );

comment on domain upload_pipeline.outcome is
  'What a call did. applied: the job moved, or what was asked is done. kept: content is safe here and waits for storage. '
  'unrecognised: kept, but its shape is unknown and an operator decides. duplicate: this was applied '
  'before. stale: of an earlier attempt, or the job has moved past it. ignored: nothing to do. '
  'parked: of a provider job not known yet; record_submission applies it.';
