begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2030-01-01 12:10:59+00');
select upload_pipeline.count_deliveries(deliveries => '[
  {"source": "push", "outcome": "applied", "count": 3}, {"source": "push", "outcome": "duplicate", "count": 1}
]');
select upload_pipeline.count_deliveries(deliveries => '[{"source": "push", "outcome": "applied", "count": 2}]');
select upload_pipeline.count_refusals(refusals => '[{"source": "push", "reason": "wrong_token", "count": 7}]');
select pg_temp.set_clock('2030-01-01 12:11+00');
select upload_pipeline.count_deliveries(deliveries => '[{"source": "push", "outcome": "applied", "count": 4}]');
select upload_pipeline.count_deliveries(deliveries => '[]');
select results_eq(
  'select at, span, source, outcome, reason, count from upload_pipeline.delivery_activity order by at, outcome',
  $$values (timestamptz '2030-01-01 12:10+00', interval '1 minute', 'push', 'applied', null, 5::bigint),
           ('2030-01-01 12:10+00', '1 minute', 'push', 'duplicate', null, 1),
           ('2030-01-01 12:10+00', '1 minute', 'push', 'refused', 'wrong_token', 7),
           ('2030-01-01 12:11+00', '1 minute', 'push', 'applied', null, 4)$$,
  'counts of one minute are added up'
);

select pg_temp.set_clock('2030-01-02 13:00+00');
select upload_pipeline.roll_up_activity();
select results_eq(
  $$select at, span, count from upload_pipeline.delivery_activity where outcome = 'applied'$$,
  $$values (timestamptz '2030-01-01 12:00+00', interval '1 hour', 9::bigint)$$, 'and after a day by hour'
);

create function pg_temp.sqlstate_of(deliveries jsonb) returns text
language plpgsql
as $$
begin
  perform upload_pipeline.count_deliveries(deliveries => deliveries);
  return '00000';
exception
  when others then return sqlstate;
end;
$$;
select is_empty(
  $$select deliveries
      from unnest(array[
        null, 'null', '{}', '[1]', '[null]', '[{}]',
        '[{"source": "A", "outcome": "applied", "count": 1}]',
        '[{"source": "a", "outcome": "", "count": 1}]',
        '[{"source": "a", "outcome": "applied", "count": 0}]',
        '[{"source": "a", "outcome": "applied", "count": 1e30}]'
      ]::jsonb[]) as deliveries
     where pg_temp.sqlstate_of(deliveries) is distinct from 'UP006'$$,
  'anything else is refused'
);

select * from finish();
rollback;
