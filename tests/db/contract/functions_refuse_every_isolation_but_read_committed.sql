begin isolation level repeatable read;
\ir ../search_path.psql
select plan(35);

-- Every function that locks what it then reads, whichever role may call it.
select throws_ok(call, 'UP012', null, call || ' is refused')
  from unnest(array[
    $$select upload_pipeline.create_job(gen_random_uuid(), 'a', 'a/b', 1, repeat('a', 64), 's3://a')$$,
    $$select upload_pipeline.confirm_upload(gen_random_uuid(), 1, 'a')$$,
    $$select upload_pipeline.receive_event('s', 'd', repeat('a', 64), 'e', 'parse_ready', parse_job_id => 'p')$$,
    $$select upload_pipeline.receive_content('s', 'd', repeat('a', 64), 'e', gen_random_uuid(), 'x')$$,
    $$select upload_pipeline.finish_content(gen_random_uuid(), 1)$$,
    $$select upload_pipeline.keep_content(gen_random_uuid(), 1, 'x')$$,
    $$select upload_pipeline.abandon_content(gen_random_uuid(), 1)$$,
    $$select upload_pipeline.claim_jobs('uploaded', 'w')$$,
    $$select upload_pipeline.heartbeat(gen_random_uuid(), gen_random_uuid())$$,
    $$select upload_pipeline.fail_job(gen_random_uuid(), gen_random_uuid(), '{"code": "a", "error": "a"}')$$,
    $$select upload_pipeline.record_submission(gen_random_uuid(), 1, 'p')$$,
    $$select upload_pipeline.retry_job(gen_random_uuid())$$,
    $$select upload_pipeline.cancel_job(gen_random_uuid())$$,
    $$select upload_pipeline.accept_content(gen_random_uuid(), 1, 'x')$$,
    $$select upload_pipeline.erase_document(gen_random_uuid())$$,
    $$select upload_pipeline.purge(interval '90 days')$$,
    $$select upload_pipeline.set_credit_cap(null, 'day', 1)$$,
    $$select upload_pipeline.set_fallback('llamacloud', 'docling')$$,
    $$select upload_pipeline.claim_deletions()$$,
    $$select upload_pipeline.receive_artifacts(gen_random_uuid(), gen_random_uuid(), '[]')$$,
    $$select upload_pipeline.finish_artifacts(gen_random_uuid(), gen_random_uuid(), '{}')$$,
    $$select upload_pipeline.claim_provider_requests('acme')$$,
    $$select upload_pipeline.finish_provider_request('acme', 'p', 'cancel')$$,
    $$select upload_pipeline.fail_provider_request('acme', 'p', 'cancel', 1, 'x')$$,
    $$select upload_pipeline.settle_provider_requests('acme')$$,
    $$select upload_pipeline.start_announcing()$$,
    $$select upload_pipeline.claim_notifications()$$,
    $$select upload_pipeline.finish_notifications('{}', '{}', '{}', '{}', '{}')$$,
    $$select upload_pipeline.retry_notifications()$$,
    $$select upload_pipeline.stop_announcing()$$,
    $$select upload_pipeline.count_refusals('[]')$$,
    $$select upload_pipeline.count_deliveries('[]')$$,
    $$select upload_pipeline.roll_up_activity()$$,
    $$select upload_pipeline.recount_statuses()$$
  ]) as call;
select is(
  (select count(*) from upload_pipeline.job_overview), 0::bigint, 'the views can be read in any isolation'
);

select * from finish();
rollback;
