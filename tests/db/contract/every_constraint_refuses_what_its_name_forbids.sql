begin;
\ir ../raw_dml.psql
select * from no_plan();
set local client_min_messages = warning;

-- Job a is unfinished, p is parsed with a confirmed upload, f is failed. Every job has one stored content.
select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('p', 'parsed'), pg_temp.make_job_in_status('f', 'failed_parse');
update upload_pipeline.documents as d
   set upload_confirmed = true
  from upload_pipeline.upload_jobs as j
 where j.document_id = d.document_id and j.correlation_id = 'p';
insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
select 'pj', j.job_id, 1 from upload_pipeline.upload_jobs as j where j.correlation_id = 'a';
insert into upload_pipeline.webhook_deliveries (source, delivery_id, body_sha256, event_type, outcome, job_id, code)
select 'push', 'd', repeat('d', 64), 'x', 'stale', j.job_id, 'parse_ready'
  from upload_pipeline.upload_jobs as j
 where j.correlation_id = 'a';
insert into upload_pipeline.deletions (path, run_after) values ('storage://raw/x', now());
insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)
select j.job_id, 'text', 1, repeat('a', 64), 1, 'storage://parsed/a.text'
  from upload_pipeline.upload_jobs as j
 where j.correlation_id = 'a';
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind) values ('acme', 'p', 'cancel');
insert into upload_pipeline.refused_deliveries (minute, source, reason, count) values (now(), 'push', 'no_match', 1);
insert into upload_pipeline.credit_caps (provider, scope, period, credits, starts_at) values ('local', 'all', 'day', 1, now());
insert into upload_pipeline.fallbacks (provider, code, next_provider) values ('local', 'x', 'docling');
insert into upload_pipeline.provider_pauses (status, provider, paused_until, paused_because) values ('uploaded', 'local', now(), 'x');
insert into upload_pipeline.credit_reservations (job_id, attempt, ordinal, owner_id, provider, reserved, reserved_at, check_after)
values (gen_random_uuid(), 1, 1, gen_random_uuid(), 'p', 1, now(), now());
select upload_pipeline.record_action('purge', null);
insert into upload_pipeline.owner_settings (owner_id, max_running) values (gen_random_uuid(), 1);
insert into upload_pipeline.notifications (event_id, job_id, version)
select e.event_id, e.job_id, e.version from upload_pipeline.events as e where e.version = 1;
insert into upload_pipeline.job_groups (group_id, owner_id) values (gen_random_uuid(), gen_random_uuid());
set constraints all immediate;
set constraints all deferred;

-- The constraints of events are tested in event_is_a_legal_step_of_its_own_job.sql.
-- `raised`: the constraint that the error names, where it is not the guard itself.
create temp table attack (
  relation text, guard text, sqlstate text, statements text, besides text default 'select', raised text
) on commit drop;

insert into attack (relation, guard, sqlstate, statements) values
  ('activity_counts', 'span_is_known', '23514', $$update activity_counts set span = 'day'$$),
  ('activity_counts', 'row_counts_steps_or_deliveries', '23514', 'update activity_counts set from_status = null, to_status = null'),
  ('activity_counts', 'row_counts_steps_or_deliveries', '23514', $$update activity_counts set source = 'push', outcome = 'applied'$$),
  ('activity_counts', 'row_counts_steps_or_deliveries', '23514', $$
    insert into activity_counts (span, at, source, outcome, code, count) values ('new', now(), 'push', 'applied', 'x', 1)$$),
  ('activity_counts', 'row_counts_steps_or_deliveries', '23514', $$
    insert into activity_counts (span, at, source, count) values ('new', now(), 'push', 1)$$),
  ('contents', 'content_has_its_size', '23514', $$
    update contents set content = '\x0102', stored_at = null$$),
  ('contents', 'content_is_not_empty', '23514', $$
    insert into contents (job_id, ordinal, attempt, content_sha256, content_bytes, content, path, correlation_id)
    select job_id, 2, 1, repeat('d', 64), 0, '', 'storage://parsed/z', 'z' from upload_jobs where correlation_id = 'a'$$),
  ('contents', 'stored_content_has_no_bytes_here', '23514', $$update contents set content = '\x01'$$),
  ('contents', 'only_content_with_a_path_is_stored', '23514', $$
    update contents as c set path = null from upload_jobs as j where j.job_id = c.job_id and j.correlation_id = 'a'$$),
  ('contents', 'path_is_ours', '23514', $$
    update contents as c set path = 'storage://raw/a' from upload_jobs as j where j.job_id = c.job_id and j.correlation_id = 'a'$$),
  ('contents', 'content_is_of_a_job', '23503', $$
    update contents as c set job_id = gen_random_uuid()
      from upload_jobs as j where j.job_id = c.job_id and j.correlation_id = 'a'$$),
  ('contents', 'one_row_a_content', '23505', $$
    insert into contents (job_id, ordinal, attempt, content_sha256, content_bytes, content, path, correlation_id)
    select job_id, 2, 1, content_sha256, 1, '\x01', 'storage://parsed/z', 'z' from contents where correlation_id = 'a'$$),
  ('contents', 'path_belongs_to_one_content', '23505', $$
    insert into contents (job_id, ordinal, attempt, content_sha256, content_bytes, content, path, correlation_id)
    select job_id, 2, 1, repeat('d', 64), 1, '\x01', path, 'z' from contents where correlation_id = 'a'$$),
  ('credit_caps', 'credits_are_not_negative', '23514', 'update credit_caps set credits = -1'),
  ('credit_caps', 'credits_are_not_negative', '23514', $$update credit_caps set credits = 'NaN'$$),
  ('credit_caps', 'one_cap_a_scope_owner_period_and_provider', '23505', $$
    insert into credit_caps (provider, scope, period, credits, starts_at) values ('local', 'all', 'day', 2, now())$$),
  ('credit_caps', 'provider_is_known', '23503', $$update credit_caps set provider = 'acme'$$),
  ('fallbacks', 'one_fallback_a_provider_and_code', '23505', $$
    insert into fallbacks (provider, code, next_provider) values ('local', 'x', 'reducto')$$),
  ('provider_pauses', 'pause_is_of_a_status', '23503', $$update provider_pauses set status = 'nowhere'$$),
  ('provider_pauses', 'provider_is_a_word', '23514', $$update provider_pauses set provider = 'No word'$$),
  ('fallbacks', 'provider_is_known', '23503', $$update fallbacks set provider = 'acme'$$),
  ('fallbacks', 'next_provider_is_known', '23503', $$update fallbacks set next_provider = 'acme'$$),
  ('fallbacks', 'fallback_is_another_provider', '23514', $$update fallbacks set next_provider = provider$$),
  ('fallbacks', 'code_is_a_letter_and_up_to_99_characters', '23514', $$update fallbacks set code = 'no code'$$),
  ('providers', 'provider_is_a_word', '23514', $$insert into providers (provider) values ('Acme')$$),
  ('provider_pauses', 'times_are_between_2000_and_9999', '23514', $$update provider_pauses set paused_until = 'infinity'$$),
  ('providers', 'times_are_between_2000_and_9999', '23514', $$update providers set served_at = 'infinity'$$),
  ('credit_caps', 'scope_is_all_each_or_owner', '23514', $$update credit_caps set scope = 'owner'$$),
  ('credit_caps', 'scope_is_all_each_or_owner', '23514', $$update credit_caps set scope = 'nobody'$$),
  ('credit_caps', 'scope_is_all_each_or_owner', '23514', 'update credit_caps set owner_id = gen_random_uuid()'),
  ('credit_caps', 'period_is_hour_day_or_month', '23514', $$update credit_caps set period = 'week'$$),
  ('credit_caps', 'used_is_not_negative', '23514', 'update credit_caps set used = -1'),
  ('credit_caps', 'used_is_not_negative', '23514', $$update credit_caps set used = 'NaN'$$),
  ('credit_caps', 'used_is_not_negative', '23514', $$update credit_caps set used = 'Infinity'$$),
  ('credit_reservations', 'attempt_and_ordinal_count_from_one', '23514', 'update credit_reservations set attempt = 0'),
  ('credit_reservations', 'attempt_and_ordinal_count_from_one', '23514', 'update credit_reservations set ordinal = 0'),
  ('credit_reservations', 'one_open_reservation_an_attempt', '23505', $$
    insert into credit_reservations (job_id, attempt, ordinal, owner_id, provider, reserved, reserved_at, check_after)
    select job_id, attempt, 2, owner_id, provider, 1, now(), now() from credit_reservations$$),
  ('credit_reservations', 'provider_is_a_word', '23514', $$update credit_reservations set provider = 'Acme'$$),
  ('credit_reservations', 'credits_are_between_0_and_1e12', '23514', 'update credit_reservations set reserved = -1'),
  ('credit_reservations', 'credits_are_between_0_and_1e12', '23514', $$
    update credit_reservations set billed = -1, settled_at = now(), check_after = null$$),
  ('credit_reservations', 'open_reservation_has_a_check_after', '23514', 'update credit_reservations set check_after = null'),
  ('credit_reservations', 'open_reservation_has_a_check_after', '23514', $$
    update credit_reservations set billed = 1, settled_at = now()$$),
  ('credit_reservations', 'settlement_is_whole', '23514', 'update credit_reservations set billed = 1'),
  ('credit_reservations', 'settlement_is_whole', '23514', $$
    update credit_reservations set settled_at = now(), check_after = null$$),
  ('documents', 'bytes_len_is_positive', '23514', 'update documents set bytes_len = 0'),
  ('documents', 'filename_is_1_to_500_characters', '23514', $$update documents set filename = ''$$),
  ('documents', 'filename_is_1_to_500_characters', '23514', $$update documents set filename = repeat('x', 501)$$),
  ('documents', 'mime_is_a_media_type', '23514', $$update documents set mime = 'pdf'$$),
  ('documents', 'mime_is_a_media_type', '23514', $$update documents set mime = 'text/html; charset=utf-8'$$),
  ('documents', 'mime_is_a_media_type', '23514', $$update documents set mime = 'text/' || repeat('x', 196)$$),
  ('documents', 'raw_path_is_1_to_1000_bytes', '23514', $$update documents set raw_path = ''$$),
  ('documents', 'raw_path_is_1_to_1000_bytes', '23514', $$update documents set raw_path = repeat('x', 1001)$$),
  ('documents', 'one_document_a_file_of_an_owner', '23505', $$
    update documents set owner_id = '00000000-0000-0000-0000-000000000000'$$),
  ('error_codes', 'sqlstate_is_of_class_up', '23514', $$insert into error_codes values ('P0001', 'x', 'x')$$),
  ('error_codes', 'name_is_unique', '23505', $$insert into error_codes values ('UP999', 'unknown_job', 'x')$$),
  ('event_codes', 'code_is_a_word', '23514', $$insert into event_codes values ('Not A Word', 'retry', 'info', null, false, 'x')$$),
  ('event_codes', 'to_status_is_known', '23503', $$insert into event_codes values ('x', 'retry', 'info', 'nowhere', false, 'x')$$),
  ('refused_deliveries', 'source_is_a_word', '23514', $$update refused_deliveries set source = 'A'$$),
  ('refused_deliveries', 'reason_is_a_word', '23514', $$update refused_deliveries set reason = ''$$),
  ('refused_deliveries', 'count_is_positive', '23514', 'update refused_deliveries set count = 0'),
  ('refused_deliveries', 'user_agent_is_at_most_200_characters', '23514', $$
    update refused_deliveries set user_agent = repeat('x', 201)$$),
  ('notifications', 'one_notification_an_event', '23505', $$
    insert into notifications (event_id, job_id, version) select gen_random_uuid(), job_id, version from notifications$$),
  ('notifications', 'notification_is_of_an_event', '23503', 'update notifications set job_id = gen_random_uuid()'),
  ('notifications', 'notification_is_of_an_event_or_a_group', '23514', 'update notifications set version = null'),
  ('notifications', 'notification_is_of_an_event_or_a_group', '23514', 'update notifications set job_id = null, version = null'),
  ('notifications', 'notification_is_of_an_event_or_a_group', '23514', $$
    update notifications as n set group_id = g.group_id from job_groups as g
     where n.event_id = (select event_id from notifications limit 1)$$),
  ('notifications', 'notification_is_of_a_group', '23503', $$
    update notifications set job_id = null, version = null, group_id = gen_random_uuid()$$),
  ('notifications', 'one_notification_a_group', '23505', $$
    insert into notifications (event_id, group_id) select gen_random_uuid(), g.group_id from job_groups as g, generate_series(1, 2)$$),
  ('job_groups', 'group_has_one_owner', '23505', $$
    alter table job_groups drop constraint job_groups_pkey cascade;
    insert into job_groups (group_id, owner_id) select group_id, owner_id from job_groups$$),
  ('job_groups', 'only_a_closed_group_is_checked', '23514', 'update job_groups set check_after = now()'),
  ('job_groups', 'only_a_closed_group_is_announced', '23514', $$update job_groups set announced_at = now(), counts = '{}'$$),
  ('job_groups', 'announced_group_is_not_checked', '23514', $$
    update job_groups set closed_at = now(), announced_at = now(), counts = '{}', check_after = now()$$),
  ('job_groups', 'announced_group_has_counts', '23514', 'update job_groups set closed_at = now(), announced_at = now()'),
  ('job_groups', 'announced_group_has_counts', '23514', $$update job_groups set counts = '{}'$$),
  ('job_groups', 'counts_is_an_object', '23514', $$
    update job_groups set closed_at = now(), announced_at = now(), counts = '[]'$$),
  ('job_groups', 'times_are_between_2000_and_9999', '23514', $$update job_groups set closed_at = 'infinity'$$),
  ('upload_jobs', 'group_is_of_the_owner', '23503', $$
    update upload_jobs as j set group_id = g.group_id from job_groups as g$$),
  ('notifications', 'notification_waits_or_is_taken_or_dead', '23514', 'update notifications set run_after = null'),
  ('notifications', 'notification_waits_or_is_taken_or_dead', '23514', 'update notifications set taken_at = now()'),
  ('notifications', 'notification_waits_or_is_taken_or_dead', '23514', $$
    update notifications set run_after = null, taken_at = now(), dead_at = now()$$),
  ('notifications', 'only_a_waiting_notification_has_a_lease', '23514', $$
    update notifications set run_after = null, dead_at = now(), lease_token = gen_random_uuid()$$),
  ('notifications', 'tries_are_not_negative', '23514', 'update notifications set tries = -1'),
  ('notifications', 'error_is_1_to_500_characters', '23514', $$update notifications set error = ''$$),
  ('notifications', 'error_is_1_to_500_characters', '23514', $$update notifications set error = repeat('x', 501)$$),
  ('provider_jobs', 'attempt_counts_from_one', '23514', 'update provider_jobs set attempt = 0'),
  ('provider_jobs', 'parse_job_id_is_1_to_200_characters', '23514', $$update provider_jobs set parse_job_id = ''$$),
  ('provider_jobs', 'parse_job_id_is_1_to_200_characters', '23514', $$
    update provider_jobs set parse_job_id = repeat('x', 201)$$),
  ('provider_jobs', 'provider_is_a_word', '23514', $$update provider_jobs set provider = 'A b'$$),
  ('provider_jobs', 'provider_job_is_of_a_job', '23503', 'update provider_jobs set job_id = gen_random_uuid()'),
  ('statuses', 'failure_code_is_known', '23503', $$update statuses set failure_code = 'x' where status = 'parsed'$$),
  ('statuses', 'finished_work_does_not_fail', '23514', $$
    update statuses set failure_code = 'stage_failed' where status = 'complete'$$),
  ('statuses', 'max_tries_counts_from_one', '23514', 'update statuses set max_tries = 0'),
  ('statuses', 'pause_is_whole', '23514', 'update statuses set paused_until = now()'),
  ('statuses', 'pause_is_whole', '23514', $$update statuses set paused_because = 'x'$$),
  ('statuses', 'pause_is_whole', '23514', $$update statuses set paused_by = 'x'$$),
  ('statuses', 'retry_base_is_positive_and_within_retry_cap', '23514', $$update statuses set retry_base = '0'$$),
  ('statuses', 'retry_base_is_positive_and_within_retry_cap', '23514', $$update statuses set retry_base = '1 hour', retry_cap = '1 minute'$$),
  ('statuses', 'retry_base_is_positive_and_within_retry_cap', '23514', $$update statuses set retry_cap = '32 days'$$),
  ('statuses', 'failure_is_terminal', '23514', $$
    insert into statuses (status, failed, description) values ('x', true, 'x')$$),
  ('statuses', 'finished_work_is_never_overdue', '23514', $$
    insert into statuses (status, terminal, overdue_after, description) values ('x', true, '1 s', 'x')$$),
  ('statuses', 'finished_work_is_not_claimable', '23514', $$
    insert into statuses (status, terminal, claimable, description) values ('x', true, true, 'x')$$),
  ('statuses', 'overdue_after_is_up_to_a_year', '23514', $$
    insert into statuses (status, overdue_after, description) values ('x', '0 s', 'x')$$),
  ('statuses', 'overdue_after_is_up_to_a_year', '23514', $$
    insert into statuses (status, overdue_after, description) values ('x', '367 days', 'x')$$),
  ('statuses', 'initial_status_is_not_announced', '23514', 'update statuses set announced = true where initial'),
  ('statuses', 'only_a_marked_status_is_announced', '23514', $$
    update statuses set announced_since = now() where status = 'uploaded'$$),
  ('statuses', 'times_are_between_2000_and_9999', '23514', $$
    update statuses set announced_since = 'infinity' where announced$$),
  ('statuses', 'times_are_between_2000_and_9999', '23514', $$
    update statuses set paused_until = 'infinity', paused_because = 'x', paused_by = 'y'$$),
  ('statuses', 'times_are_between_2000_and_9999', '23514', $$
    update statuses set paused_until = '-infinity', paused_because = 'x', paused_by = 'y'$$),
  ('statuses', 'status_is_a_word', '23514', $$insert into statuses (status, description) values ('Not a word', 'x')$$),
  ('statuses', 'one_initial_status', '23505', $$
    insert into statuses (status, initial, description) values ('x', true, 'x')$$),
  ('transitions', 'from_status_is_known', '23503', $$insert into transitions values ('nowhere', 'parsed', 'stage_done')$$),
  ('transitions', 'to_status_is_known', '23503', $$insert into transitions values ('parsed', 'nowhere', 'stage_done')$$),
  ('transitions', 'one_way_back_by_retry', '23505', $$
    insert into transitions values ('failed_parse', 'parse_queued', 'retry')$$),
  ('upload_jobs', 'attempt_counts_from_one', '23514', 'update upload_jobs set attempt = 0'),
  ('upload_jobs', 'attempts_are_bounded', '23514', 'update upload_jobs set attempt = max_attempts + 1'),
  ('upload_jobs', 'content_is_whole', '23514', $$update upload_jobs set parsed_bytes = null where correlation_id = 'p'$$),
  ('upload_jobs', 'content_is_whole', '23514', $$update upload_jobs set parsed_sha256 = null where correlation_id = 'p'$$),
  ('upload_jobs', 'content_is_whole', '23514', $$update upload_jobs set parsed_bytes = 1 where correlation_id = 'a'$$),
  ('upload_jobs', 'parsed_job_has_content', '23514', $$
    update upload_jobs set parsed_path = null, parsed_sha256 = null, parsed_bytes = null where correlation_id = 'p'$$),
  ('upload_jobs', 'parsed_path_is_of_the_jobs_own_content', '23503', $$
    update upload_jobs set parsed_path = 'storage://parsed/a' where correlation_id = 'p'$$),
  ('upload_jobs', 'parsed_path_is_of_the_jobs_own_content', '23503', $$
    update upload_jobs set parsed_sha256 = repeat('d', 64) where correlation_id = 'p'$$),
  ('upload_jobs', 'parsed_path_is_of_the_jobs_own_content', '23503', $$
    update upload_jobs set parsed_bytes = 2 where correlation_id = 'p'$$),
  ('upload_jobs', 'failed_job_says_why', '23514', $$update upload_jobs set last_error = null where correlation_id = 'f'$$),
  ('upload_jobs', 'last_error_is_an_object', '23514', $$update upload_jobs set last_error = '"x"'$$),
  ('upload_jobs', 'lease_is_whole', '23514', $$
    update upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w' where correlation_id = 'p'$$),
  ('upload_jobs', 'lease_is_whole', '23514', $$
    update upload_jobs set lease_token = gen_random_uuid(), leased_until = now() where correlation_id = 'p'$$),
  ('upload_jobs', 'lease_is_whole', '23514', $$
    update upload_jobs set leased_by = 'w', leased_until = now() where correlation_id = 'p'$$),
  ('upload_jobs', 'lease_needs_a_confirmed_upload', '23514', $$
    update upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()
     where correlation_id = 'a'$$),
  ('upload_jobs', 'status_is_known', '23503', $$update upload_jobs set claimable = true where correlation_id = 'a'$$),
  ('upload_jobs', 'status_is_known', '23503', $$update upload_jobs set terminal = true where correlation_id = 'a'$$),
  ('operator_actions', 'action_is_a_word', '23514', $$update operator_actions set action = 'A'$$),
  ('operator_actions', 'reason_is_1_to_500_characters', '23514', $$update operator_actions set reason = ''$$),
  ('operator_actions', 'details_is_an_object', '23514', $$update operator_actions set details = '[]'$$),
  ('operator_actions', 'times_are_between_2000_and_9999', '23514', $$update operator_actions set at = '-infinity'$$),
  ('owner_settings', 'row_sets_something', '23514', 'update owner_settings set max_running = null'),
  ('owner_settings', 'provider_is_known', '23503', $$update owner_settings set provider = 'acme'$$),
  ('owner_settings', 'max_running_counts_from_one', '23514', 'update owner_settings set max_running = 0'),
  ('upload_jobs', 'provider_is_known', '23503', $$update upload_jobs set provider = 'acme'$$),
  ('upload_jobs', 'priority_is_0_to_9', '23514', 'update upload_jobs set priority = 10'),
  ('upload_jobs', 'priority_is_0_to_9', '23514', 'update upload_jobs set priority = -1'),
  ('upload_jobs', 'job_is_of_a_document', '23503', 'update upload_jobs set owner_id = gen_random_uuid()'),
  ('upload_jobs', 'job_is_of_a_document', '23503', $$
    update upload_jobs set upload_confirmed = true where correlation_id = 'a'$$),
  ('upload_jobs', 'one_unfinished_job_a_document', '23505', $$
    with born as (
      select gen_random_uuid() as job_id, j.document_id, j.owner_id, 'z' as correlation_id
        from upload_jobs as j where j.correlation_id = 'a'
    ), job as (
      insert into upload_jobs (
        job_id, document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id
      )
      select b.job_id, b.document_id, b.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content, false, b.correlation_id
        from born as b, statuses as s
       where s.initial
    )
    insert into events (job_id, version, document_id, to_status, type, severity, code, correlation_id, ts)
    select b.job_id, 1, b.document_id, 'uploaded', 'stage_started', 'info', 'job_created', 'z', now() from born as b$$),
  ('webhook_deliveries', 'delivery_id_is_1_to_200_characters', '23514', $$update webhook_deliveries set delivery_id = ''$$),
  ('webhook_deliveries', 'delivery_id_is_1_to_200_characters', '23514', $$
    update webhook_deliveries set delivery_id = repeat('x', 201)$$),
  ('webhook_deliveries', 'event_type_is_1_to_200_characters', '23514', $$update webhook_deliveries set event_type = ''$$),
  ('webhook_deliveries', 'event_type_is_1_to_200_characters', '23514', $$
    update webhook_deliveries set event_type = repeat('x', 201)$$),
  ('webhook_deliveries', 'kept_delivery_names_its_content', '23514', $$update webhook_deliveries set outcome = 'kept'$$),
  ('webhook_deliveries', 'kept_delivery_names_its_content', '23514', $$
    update webhook_deliveries set outcome = 'unrecognised'$$),
  ('webhook_deliveries', 'parked_delivery_waits_for_a_provider_job', '23514', $$
    update webhook_deliveries set outcome = 'parked', job_id = null$$),
  ('webhook_deliveries', 'parked_delivery_waits_for_a_provider_job', '23514', $$
    update webhook_deliveries set outcome = 'parked', parse_job_id = 'pj'$$),
  ('webhook_deliveries', 'parked_delivery_waits_for_a_provider_job', '23514', $$
    update webhook_deliveries set outcome = 'parked', parse_job_id = 'pj', job_id = null, code = null$$),
  ('webhook_deliveries', 'payload_is_an_object', '23514', $$update webhook_deliveries set payload = '[]'$$),
  ('webhook_deliveries', 'source_is_a_word', '23514', $$update webhook_deliveries set source = 'Not a word'$$),
  ('webhook_deliveries', 'times_seen_counts_from_one', '23514', 'update webhook_deliveries set times_seen = 0'),
  ('artifacts', 'artifact_is_not_empty', '23514', 'update artifacts set bytes = 0'),
  ('artifacts', 'artifact_is_of_a_job', '23503', 'update artifacts set job_id = gen_random_uuid()'),
  ('artifacts', 'attempt_counts_from_one', '23514', 'update artifacts set attempt = 0'),
  ('artifacts', 'kind_is_a_word', '23514', $$update artifacts set kind = 'Two words'$$),
  ('artifacts', 'name_is_at_most_200_characters', '23514', $$update artifacts set name = repeat('n', 201)$$),
  ('artifacts', 'path_belongs_to_one_artifact', '23505', $$
    insert into artifacts (job_id, kind, attempt, sha256, bytes, path)
    select job_id, 'json', 1, repeat('a', 64), 1, path from artifacts$$),
  ('artifacts', 'path_is_ours', '23514', $$update artifacts set path = 'storage://raw/a'$$),
  ('artifacts', 'times_are_between_2000_and_9999', '23514', $$update artifacts set recorded_at = 'infinity'$$),
  ('provider_requests', 'done_request_has_a_result', '23514', 'update provider_requests set done_at = now(), run_after = null'),
  ('provider_requests', 'done_request_is_not_due', '23514', $$
    update provider_requests set done_at = now(), result = 'done'$$),
  ('provider_requests', 'kind_is_cancel_or_delete', '23514', $$update provider_requests set kind = 'pause'$$),
  ('provider_requests', 'last_error_is_a_code', '23514', $$update provider_requests set last_error = 'Two words'$$),
  ('provider_requests', 'parse_job_id_is_1_to_200_characters', '23514', $$update provider_requests set parse_job_id = ''$$),
  ('provider_requests', 'provider_is_a_word', '23514', $$update provider_requests set provider = 'Two words'$$),
  ('provider_requests', 'refused_request_says_why', '23514', 'update provider_requests set run_after = null'),
  ('provider_requests', 'result_is_known', '23514', $$
    update provider_requests set run_after = null, done_at = now(), result = 'lost'$$),
  ('provider_requests', 'times_are_between_2000_and_9999', '23514', $$update provider_requests set requested_at = 'infinity'$$),
  ('activity_counts', 'times_are_between_2000_and_9999', '23514', $$update activity_counts set at = 'infinity'$$),
  ('contents', 'times_are_between_2000_and_9999', '23514', $$update contents set received_at = 'infinity'$$),
  ('refused_deliveries', 'times_are_between_2000_and_9999', '23514', $$update refused_deliveries set minute = 'infinity'$$),
  ('upload_jobs', 'times_are_between_2000_and_9999', '23514', $$update upload_jobs set run_after = 'infinity'$$),
  ('credit_caps', 'times_are_between_2000_and_9999', '23514', $$update credit_caps set starts_at = 'infinity'$$),
  ('credit_reservations', 'times_are_between_2000_and_9999', '23514', $$update credit_reservations set reserved_at = 'infinity'$$),
  ('deletions', 'times_are_between_2000_and_9999', '23514', $$update deletions set requested_at = 'infinity'$$),
  ('notifications', 'times_are_between_2000_and_9999', '23514', $$update notifications set run_after = 'infinity'$$),
  ('documents', 'times_are_between_2000_and_9999', '23514', $$update documents set created_at = 'infinity'$$),
  ('provider_jobs', 'times_are_between_2000_and_9999', '23514', $$update provider_jobs set recorded_at = 'infinity'$$),
  ('webhook_deliveries', 'times_are_between_2000_and_9999', '23514', $$update webhook_deliveries set first_seen = 'infinity'$$),
  ('documents', 'raw_path_is_not_of_parsed_content', '23514', $$
    update documents set raw_path = 'storage://parsed/a/b.md'$$),
  ('documents', 'raw_path_is_not_of_parsed_content', '23514', $$
    update documents set raw_path = 'storage://Parsed/a/b.md'$$),
  ('webhook_deliveries', 'brought_content_is_of_a_job', '23514', $$
    update webhook_deliveries set content_ordinal = 1, job_id = null$$),
  ('webhook_deliveries', 'code_is_known', '23503', $$update webhook_deliveries set code = 'whatever'$$),
  ('webhook_deliveries', 'delivery_brought_a_content', '23503', 'update webhook_deliveries set content_ordinal = 2'),
  ('webhook_deliveries', 'delivery_is_about_a_job', '23503', 'update webhook_deliveries set job_id = gen_random_uuid()');

-- Attacks that another constraint would refuse as well; `besides` removes it.
insert into attack (relation, guard, sqlstate, statements, besides) values
  ('statuses', 'initial_status_is_unfinished', '23514', $$
    insert into statuses (status, initial, terminal, description) values ('x', true, true, 'x')$$,
    'drop index upload_pipeline.one_initial_status'),
  ('statuses', 'initial_status_has_no_content', '23514', $$
    insert into statuses (status, initial, has_content, description) values ('x', true, true, 'x')$$,
    'drop index upload_pipeline.one_initial_status'),
  ('statuses', 'initial_status_was_initial', '23514', 'update statuses set was_initial = false',
    'alter table upload_pipeline.statuses disable trigger initial_status_is_remembered'),
  ('statuses', 'flags_travel_with_the_status', '23505', $$
    insert into statuses select s.* from statuses as s where s.status = 'parsed'$$,
    'alter table upload_pipeline.statuses drop constraint statuses_pkey cascade'),
  ('documents', 'owner_and_confirmation_travel_with_the_document', '23505', $$
    insert into documents (document_id, owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed)
    select document_id, owner_id, filename, mime, bytes_len, repeat('e', 64), raw_path, upload_confirmed
      from documents$$,
    'alter table upload_pipeline.documents drop constraint documents_pkey cascade'),
  ('contents', 'job_path_hash_and_size_belong_together', '23505', $$
    insert into contents (
      job_id, ordinal, attempt, content_sha256, content_bytes, path, stored_at, correlation_id
    )
    select job_id, 2, attempt, content_sha256, content_bytes, path, stored_at, correlation_id from contents$$,
    'alter table upload_pipeline.contents drop constraint path_belongs_to_one_content,
       drop constraint one_row_a_content'),
  ('upload_jobs', 'job_and_document_are_a_pair', '23505', $$
    insert into upload_jobs select j.* from upload_jobs as j where j.terminal$$,
    'alter table upload_pipeline.upload_jobs drop constraint upload_jobs_pkey cascade;
     alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history'),
  ('upload_jobs', 'content_is_not_empty', '23514', $$update upload_jobs set parsed_bytes = 0 where correlation_id = 'p'$$,
    'alter table upload_pipeline.upload_jobs drop constraint parsed_path_is_of_the_jobs_own_content'),
  ('upload_jobs', 'version_counts_from_one', '23514', $$update upload_jobs set version = 0$$,
    'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events'),
  ('upload_jobs', 'finished_job_has_no_lease', '23514', $$
    update upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()
     where correlation_id = 'f'$$,
    'alter table upload_pipeline.upload_jobs drop constraint lease_needs_a_confirmed_upload');

insert into attack (relation, guard, sqlstate, statements, raised)
select 'documents', 'raw_path_in_our_storage_is_possible', '23514',
       format('update documents set raw_path = %L', path), 'storage_path_has_a_bucket_and_a_name'
  from unnest(array[
         'storage://raw/Résumé.pdf', 'storage://raw/[1].pdf', 'storage://raw/../a', 'storage://raw', 'storage:raw/a',
         'Storage://raw/a.pdf', ' storage://raw/a.pdf'
       ]) as path;

create temp view named_guard as
  select c.conrelid::regclass::oid as relation, c.conname as guard
    from pg_constraint as c
   where c.connamespace = 'upload_pipeline'::regnamespace
     and c.conrelid <> 0
     and c.contype in ('c', 'f', 'u', 'x')
  union
  select i.indrelid, r.relname
    from pg_index as i
    join pg_class as r on r.oid = i.indexrelid
   where r.relnamespace = 'upload_pipeline'::regnamespace
     and i.indisunique
     and not i.indisprimary;

select bag_eq(
  $$select distinct relation, guard from attack$$,
  $$select r.relname::text, g.guard::text
      from named_guard as g join pg_class as r on r.oid = g.relation where r.relname <> 'events'$$,
  'every constraint is attacked'
);

set local search_path = public, extensions, upload_pipeline;
select pg_temp.refused_by_guard_alone(
  case
    when exists (select from pg_constraint as c where c.conname = a.guard)
      then format('alter table upload_pipeline.%I drop constraint %I cascade', a.relation, a.guard)
    else format('drop index upload_pipeline.%I', a.guard)
  end,
  concat_ws(' ', a.sqlstate, coalesce(a.raised, a.guard)), format('%s.%s', a.relation, a.guard), a.statements, a.besides
)
  from attack as a;

select * from finish();
rollback;
