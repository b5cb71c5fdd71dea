begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.set_clock('2030-01-01 12:00:58+00');
select upload_pipeline.count_refusals(refusals => '[
  {"source": "llamacloud", "reason": "no_match", "count": 3, "user_agent": "svix/1"},
  {"source": "llamacloud", "reason": "no_match", "count": 1},
  {"source": "push", "reason": "wrong_token", "count": 999999999}
]');
select pg_temp.set_clock('2030-01-01 12:00:59+00');
select upload_pipeline.count_refusals(refusals => '[
  {"source": "llamacloud", "reason": "no_match", "count": 2, "user_agent": null},
  {"source": "llamacloud", "reason": "no_signature", "count": 1, "user_agent": "curl/8"}
]');
select pg_temp.set_clock('2030-01-01 12:01+00');
select upload_pipeline.count_refusals(refusals => '[{"source": "llamacloud", "reason": "no_match", "count": 7, "user_agent": "svix/2"}]');
select upload_pipeline.count_refusals(refusals => '[]');
select results_eq(
  'select minute, source, reason, count, user_agent from upload_pipeline.refusal_log order by 1, 2, 3',
  $$values (timestamptz '2030-01-01 12:00+00', 'llamacloud', 'no_match', 6::bigint, 'svix/1'),
           ('2030-01-01 12:00+00', 'llamacloud', 'no_signature', 1, 'curl/8'),
           ('2030-01-01 12:00+00', 'push', 'wrong_token', 999999999, null),
           ('2030-01-01 12:01+00', 'llamacloud', 'no_match', 7, 'svix/2')$$,
  'counts of one minute are added up, and the last user agent that is known stays'
);

select pg_temp.set_clock('2030-01-31 12:00:30+00');
select upload_pipeline.count_refusals(refusals => '[]');
select is((select count(*) from upload_pipeline.refusal_log), 4::bigint, 'rows of the last 30 days stay');
select pg_temp.set_clock('2030-01-31 12:01+00');
select upload_pipeline.count_refusals(refusals => '[]');
select results_eq(
  'select minute, count from upload_pipeline.refusal_log',
  $$values (timestamptz '2030-01-01 12:01+00', 7::bigint)$$,
  'older rows are deleted'
);

create function pg_temp.sqlstate_of(refusals jsonb) returns text
language plpgsql
as $$
begin
  perform upload_pipeline.count_refusals(refusals => refusals);
  return '00000';
exception
  when others then return sqlstate;
end;
$$;
select is_empty(
  $$select refusals
      from unnest(array[
        null, 'null', '{}', '[1]', '[null]', '[{}]',
        '[{"source": "A", "reason": "a", "count": 1}]',
        '[{"source": "a", "reason": "", "count": 1}]',
        '[{"source": "a", "reason": "a b", "count": 1}]',
        '[{"source": "a", "reason": "a", "count": 0}]',
        '[{"source": "a", "reason": "a", "count": 1.5}]',
        '[{"source": "a", "reason": "a", "count": 1e30}]',
        '[{"source": "a", "reason": "a", "count": 1, "user_agent": "' || repeat('x', 201) || '"}]',
        '[{"source": "a", "reason": "a", "count": 1}, {"source": "a", "reason": "a", "count": -1}]'
      ]::jsonb[]) as refusals
     where pg_temp.sqlstate_of(refusals) is distinct from 'UP006'$$,
  'anything else is refused'
);

select * from finish();
rollback;
