-- Changes nothing. The planner puts the body in place of a call.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.invalid_argument_of(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  code text,
  code_is_reported boolean,
  job_id uuid,
  parse_job_id text,
  payload jsonb
)
returns text
language sql
immutable
return case
  when source is null or length(source) > 63 or source !~ '^[a-z][a-z0-9_]*$' then 'source'
  when delivery_id is null or length(delivery_id) not between 1 and 200 then 'delivery_id'
  when body_sha256 is null or length(body_sha256) <> 64 or body_sha256 ~ '[^0-9a-f]' then 'body_sha256'
  when event_type is null or length(event_type) not between 1 and 200 then 'event_type'
  when payload is null or jsonb_typeof(payload) <> 'object' then 'payload'
  when length(parse_job_id) not between 1 and 200 then 'parse_job_id'
  when code is null then null
  when not code_is_reported then 'code'
  when job_id is null and parse_job_id is null then 'job_id'
end;

comment on function upload_pipeline.invalid_argument_of(
  text, text, text, text, text, boolean, uuid, text, jsonb
) is
  'The name of the first invalid argument of a delivery. Null: all are valid. code_is_reported: event_codes lets a '
  'provider report the code.';

revoke all on function upload_pipeline.invalid_argument_of(
  text, text, text, text, text, boolean, uuid, text, jsonb
) from public;
