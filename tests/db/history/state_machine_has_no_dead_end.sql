begin;
\ir ../search_path.psql
select plan(11);

create temp view step as
  select t.from_status, t.to_status, t.event_type from upload_pipeline.transitions as t where t.enabled;

select is(
  (select count(*) from upload_pipeline.statuses as s where s.initial), 1::bigint, 'exactly one status is initial'
);

select is_empty($$
  with recursive reached (status) as (
    select s.status from upload_pipeline.statuses as s where s.initial
    union
    select t.to_status from reached as r join step as t on t.from_status = r.status
  )
  select s.status from upload_pipeline.statuses as s
  except
  select r.status from reached as r$$,
  'every status can be reached from the initial one'
);

select is_empty($$
  with recursive ends (status) as (
    select s.status from upload_pipeline.statuses as s where s.terminal
    union
    select t.from_status from ends as e join step as t on t.to_status = e.status
  )
  select s.status from upload_pipeline.statuses as s
  except
  select e.status from ends as e$$,
  'from every status a terminal one can be reached'
);

select is_empty($$
  select s.status
    from upload_pipeline.statuses as s
   where not s.terminal
     and not exists (
       select from step as t
        where (t.from_status, t.to_status, t.event_type) = (s.status, 'cancelled', 'operator')
     )$$,
  'every unfinished job can be cancelled'
);

select is_empty($$
  select s.status
    from upload_pipeline.statuses as s
   where not s.terminal
     and not exists (
       select from step as t
        where (t.from_status, t.to_status, t.event_type) = (s.status, s.status, 'operator')
     )$$,
  'every unfinished status has a self-loop of type operator, for released leases'
);

select is_empty($$
  select s.status
    from upload_pipeline.statuses as s
   where not s.terminal
     and not exists (
       select from step as t
        where (t.from_status, t.to_status, t.event_type) = (s.status, s.status, 'retry')
     )$$,
  'every unfinished status has a self-loop of type retry'
);

select is_empty(
  $$select subject, detail from upload_pipeline.alerts where alert = 'stage_incomplete'$$,
  'every failure_code has its transition'
);

select is_empty($$
  select s.status
    from upload_pipeline.statuses as s
   where s.failed
     and not exists (
       select
         from step as t
         join upload_pipeline.statuses as n on n.status = t.to_status and not n.terminal
        where t.from_status = s.status and t.event_type = 'retry'
     )$$,
  'every failed status has a retry to an unfinished status'
);

select is_empty($$
  select c.code
    from upload_pipeline.event_codes as c
   where not exists (
     select
       from step as t
      where t.event_type = c.event_type
        and case when c.to_status is null then t.from_status = t.to_status or c.event_type = 'retry'
                 else t.to_status = c.to_status end
   )
     and c.code <> 'job_created'$$,
  'every code but job_created has a transition of its type'
);

select results_eq(
  $$select c.to_status from upload_pipeline.event_codes as c where c.code = 'job_created'$$,
  $$select s.status from upload_pipeline.statuses as s where s.initial$$,
  'job_created leads to the initial status'
);

select is_empty($$
  select t.from_status, t.to_status, t.event_type
    from step as t
   where not exists (
     select
       from upload_pipeline.event_codes as c
      where c.event_type = t.event_type
        and (c.to_status = t.to_status or (c.to_status is null and (t.from_status = t.to_status or t.event_type = 'retry')))
   )$$,
  'every transition has a code'
);

select * from finish();
rollback;
