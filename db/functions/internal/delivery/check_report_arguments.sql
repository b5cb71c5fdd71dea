create or replace function upload_pipeline.check_report_arguments(
  code text,
  job_id uuid,
  parse_job_id text,
  attempt integer,
  with_content boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wrong text := case
    when length(parse_job_id) not between 1 and 200 then 'parse_job_id'
    when attempt < 1 then 'attempt'
    when code is null then null
    -- Not an operator's or a worker's step, nor a success that would lack its content.
    when code = 'parse_completed' and not with_content or not exists (
      select
        from upload_pipeline.event_codes as c
       where c.code = check_report_arguments.code
         and c.reported
    ) then 'code'
    when job_id is null and parse_job_id is null then 'job_id'
  end;
begin
  if v_wrong is not null then
    raise exception 'a report % of job % (provider job %) has an invalid %',
      coalesce(quote_literal(left(code, 63)), 'null'), coalesce(job_id::text, 'null'),
      coalesce(quote_literal(left(parse_job_id, 200)), 'null'), v_wrong
      using errcode = 'UP006',
            detail = 'code: one of upload_pipeline.event_codes that is reported, or null, and parse_completed only with content; '
              'parse_job_id: 1 to 200 characters; attempt: from 1; a report that means something names its job by '
              'job_id or parse_job_id.',
            hint = format('Pass %s as described.', v_wrong);
  end if;
end;
$$;

comment on function upload_pipeline.check_report_arguments(text, uuid, text, integer, boolean) is
  'Checks what a report says and whom it is about. Raises UP006.';

revoke all on function upload_pipeline.check_report_arguments(text, uuid, text, integer, boolean) from public;
