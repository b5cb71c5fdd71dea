create or replace view upload_pipeline.delivery_activity as
select a.at,
       case a.span when 'hour' then interval '1 hour' else interval '1 minute' end as span,
       a.source,
       a.outcome,
       null::text as reason,
       sum(a.count)::bigint as count
  from upload_pipeline.activity_counts as a
 where a.source is not null
   and a.span <> 'earlier'
 group by a.at, 2, a.source, a.outcome
union all
select r.minute, interval '1 minute', r.source, 'refused', r.reason, r.count
  from upload_pipeline.refused_deliveries as r;

comment on view upload_pipeline.delivery_activity is
  'How many deliveries came, by time (at is its begin, span its length), source and outcome: what each did when it '
  'came; or refused, with the reason as in refusal_log. Refused ones are counted by minute for 30 days.';

revoke all on upload_pipeline.delivery_activity from public;
grant select on upload_pipeline.delivery_activity to hookline_reader;
