-- Changes nothing. The constraints of webhook_deliveries would refuse most of these values too, but without saying
-- what to do.
-- Locks: none. Calls: check_correlation_id, invalid_argument_of.
create or replace function upload_pipeline.check_delivery_arguments(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  code text,
  job_id uuid,
  parse_job_id text,
  payload jsonb,
  correlation_id text,
  with_content boolean,
  attempt integer default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A provider may not report the codes of operators and workers, nor a success without its content.
  v_is_reported boolean := (with_content or code <> 'parse_completed') and exists (
    select
      from upload_pipeline.event_codes as c
     where c.code = check_delivery_arguments.code
       and c.reported
  );
  v_wrong text := coalesce(
    upload_pipeline.invalid_argument_of(
      source, delivery_id, body_sha256, event_type, code, v_is_reported, job_id, parse_job_id, payload
    ),
    case when attempt < 1 then 'attempt' end
  );
begin
  perform upload_pipeline.check_correlation_id(correlation_id);

  if v_wrong = 'payload' and with_content then
    v_wrong := 'details';
  end if;
  if v_wrong is not null then
    raise exception 'delivery % of % (code %, job %, provider job %) has an invalid %',
      coalesce(quote_literal(left(delivery_id, 200)), 'null'), coalesce(quote_literal(left(source, 63)), 'null'),
      coalesce(quote_literal(left(code, 63)), 'null'), coalesce(job_id::text, 'null'),
      coalesce(quote_literal(left(parse_job_id, 200)), 'null'), v_wrong
      using errcode = 'UP006',
            detail = case v_wrong
              when 'source' then 'source is a lowercase letter and up to 62 more lowercase letters, digits and _.'
              when 'body_sha256' then 'body_sha256 is 64 lowercase hex digits.'
              when 'parse_job_id' then 'parse_job_id is 1 to 200 characters, or null.'
              when 'attempt' then 'attempt counts from 1.'
              when 'code' then 'code is a row of upload_pipeline.event_codes where reported is true, or null. '
                'parse_completed is only for upload_pipeline.receive_content.'
              when 'job_id' then 'A report with a code names its job by job_id or by parse_job_id.'
              when 'payload' then 'payload is a JSON object.'
              when 'details' then 'details is a JSON object.'
              else format('%s is 1 to 200 characters.', v_wrong)
            end,
            hint = format('Pass %s as the detail describes it.', v_wrong);
  end if;
end;
$$;

comment on function upload_pipeline.check_delivery_arguments(
  text, text, text, text, text, uuid, text, jsonb, text, boolean, integer
) is 'Checks what a delivery says of itself and of the job it reports on. Raises UP006 and names the wrong argument.';

revoke all on function upload_pipeline.check_delivery_arguments(
  text, text, text, text, text, uuid, text, jsonb, text, boolean, integer
) from public;
