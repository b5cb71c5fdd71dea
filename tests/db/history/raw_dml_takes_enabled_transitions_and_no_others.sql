begin;
\ir ../raw_dml.psql
select plan(4);

-- One job in every status. From each, raw DML tries a step of every type to every status.
select pg_temp.make_job_in_status(s.status, s.status) from upload_pipeline.statuses as s;
update upload_pipeline.transitions set enabled = false where event_type = 'retry';
set constraints all immediate;
set constraints all deferred;

create temp table step on commit drop as
  select f.status as from_status, t.status as to_status, y.type, r.enabled,
         pg_temp.result_at_commit(format(
           'select pg_temp.insert_event(%1$L, %2$s, %1$L, %3$L, %4$L), pg_temp.update_job(%1$L, %3$L, %2$s)',
           f.status, j.version + 1, t.status, y.type
         )) as outcome
    from upload_pipeline.statuses as f
    join upload_pipeline.upload_jobs as j on j.correlation_id = f.status
   cross join upload_pipeline.statuses as t
   cross join unnest(
     array['stage_started', 'stage_done', 'stage_error', 'retry', 'finalized', 'operator']
   ) as y (type)
    left join upload_pipeline.transitions as r
      on r.from_status = f.status and r.to_status = t.status and r.event_type = y.type;

select is(
  count(*), (select 6 * count(*) * count(*) from upload_pipeline.statuses),
  'every combination of statuses and types was tried'
)
  from step;
select is_empty(
  $$select from_status, to_status, type, outcome from step where enabled and outcome <> 'passed'$$,
  'every enabled transition passes'
);
select is_empty(
  $$select from_status, to_status, type, outcome from step where not enabled and outcome <> 'UP010'$$,
  'every disabled transition is refused'
);
select is_empty(
  $$select from_status, to_status, type, outcome
      from step where enabled is null and outcome <> '23503 step_is_a_transition'$$,
  'everything that is not a transition is refused'
);

select * from finish();
rollback;
