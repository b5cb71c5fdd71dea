-- For the files in changes/: locks every table at once, or none. A delivery locks the tables in an order of its own, so
-- to hold one lock while waiting for the next could deadlock. Each round releases what it locked, so that deliveries
-- pass in between. If a reader holds a table for many seconds (pg_dump), the upgrade ends with 55P03.
do $$
declare
  v_lock_timeout constant text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', '100ms', true);
  for v_round in 1 .. 100 loop
    begin
      lock table
        upload_pipeline.documents, upload_pipeline.upload_jobs, upload_pipeline.provider_jobs,
        upload_pipeline.webhook_deliveries, upload_pipeline.contents, upload_pipeline.artifacts,
        upload_pipeline.events, upload_pipeline.deletions, upload_pipeline.provider_requests,
        upload_pipeline.owner_settings, upload_pipeline.statuses, upload_pipeline.transitions,
        upload_pipeline.event_codes, upload_pipeline.error_codes, upload_pipeline.credit_caps,
        upload_pipeline.credit_reservations, upload_pipeline.providers, upload_pipeline.provider_pauses,
        upload_pipeline.fallbacks,
        upload_pipeline.refused_deliveries, upload_pipeline.activity_counts, upload_pipeline.notifications,
        upload_pipeline.job_groups, upload_pipeline.operator_actions
        in access exclusive mode;
      exit;
    exception
      when lock_not_available then
        if v_round = 100 then
          raise;
        end if;
        perform pg_sleep(0.05 + random() / 10);
    end;
  end loop;
  perform set_config('lock_timeout', v_lock_timeout, true);
end;
$$;
