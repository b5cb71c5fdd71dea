-- Takes many proven deliveries without content: counts each once, moves its job and writes the event. One statement
-- takes most of them together. Each of the rest gets its own subtransaction: a delivery that shares its document with
-- an earlier one of the call, and a refused one. If one breaks a rule that only a constraint holds, every delivery gets
-- its own subtransaction. So no delivery affects another, and an error that receive_event would raise becomes a row. No
-- call waits for the lock of a job: its holder may keep it for long, and the other deliveries would wait, too.
-- Locks: provider job (advisory), document (if a report is parked), job, deletion, artifact, provider request,
-- delivery.
-- Calls: check_isolation, refuse_delivery, take_deliveries.
create or replace function upload_pipeline.receive_events(deliveries upload_pipeline.delivery[])
returns setof upload_pipeline.answer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '100ms'
as $$
declare
  v_answers upload_pipeline.answer[];
  v_answer upload_pipeline.answer;
begin
  perform upload_pipeline.check_isolation();

  -- The first delivery has number 1, whatever bounds the array has.
  if array_ndims(deliveries) > 1 or array_lower(deliveries, 1) <> 1 then
    deliveries := array(select d from unnest(deliveries) as d);
  end if;

  begin
    v_answers := upload_pipeline.take_deliveries(deliveries);
  exception
    -- No delivery is at fault here. The caller has to learn that its connection leads to a read-only server.
    when read_only_sql_transaction then
      raise;
    when others then
      v_answers := array_fill(null::upload_pipeline.answer, array[cardinality(deliveries)]);
  end;

  for v_number in 1 .. coalesce(cardinality(deliveries), 0) loop
    v_answer := v_answers[v_number];
    if v_answer.outcome is null or v_answer.outcome in ('late', 'refused') then
      begin
        if v_answer.outcome is distinct from 'refused' then
          v_answer := (upload_pipeline.take_deliveries(deliveries[v_number:v_number]))[1];
        end if;
        if v_answer.outcome = 'refused' then
          perform upload_pipeline.refuse_delivery(deliveries[v_number]);
        end if;
      exception
        when others then
          v_answer := null;
          get stacked diagnostics
            v_answer.sqlstate = returned_sqlstate,
            v_answer.message = message_text,
            v_answer.detail = pg_exception_detail,
            v_answer.hint = pg_exception_hint;
      end;
    end if;
    if v_answer.outcome = 'busy' then
      v_answer := null;
      v_answer.sqlstate := '55P03';
      v_answer.message := format('another session holds the job of delivery %s', deliveries[v_number].delivery_id);
      v_answer.detail := 'Nothing was changed.';
      v_answer.hint := 'Call upload_pipeline.receive_event, which waits for it.';
    end if;
    v_answer.number := v_number;
    return next v_answer;
  end loop;
end;
$$;

comment on function upload_pipeline.receive_events(upload_pipeline.delivery[]) is
  'Takes many deliveries as receive_event does, in one transaction, and answers each in order: its number from 1, and '
  'its receipt; or, with outcome null, the SQLSTATE, message, detail and hint that receive_event would raise. '
  'Outcomes: applied, duplicate, stale, ignored, parked. SQLSTATE 55P03 in a row: another session holds the job or '
  'the provider job, nothing was changed, and receive_event waits for it. Raises UP012; 25006 if the server is '
  'read-only.';

revoke all on function upload_pipeline.receive_events(upload_pipeline.delivery[]) from public;
grant execute on function upload_pipeline.receive_events(upload_pipeline.delivery[]) to hookline_ingest;
