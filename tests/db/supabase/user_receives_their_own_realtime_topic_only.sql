-- Realtime decides like this: with the user's role, claims and topic it tries to read a message of that topic.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(11);

delete from realtime.messages;
select pg_temp.make_job('a', owner => 'ada', confirmed => false);
select pg_temp.make_job('b', owner => 'bob', confirmed => false);
insert into realtime.messages (topic, extension, event, private)
values ('hookline:' || pg_temp.owner('ada'), 'presence', 'p', true), ('hookline:', 'broadcast', 'x', true),
       ('other:' || pg_temp.owner('ada'), 'broadcast', 'x', true);

create function pg_temp.heard(topic text, claims text, role text default 'authenticated') returns setof text
language sql as $$
  select set_config('realtime.topic', coalesce(heard.topic, ''), true);
  select a from pg_temp.answer('select topic || '' '' || event from realtime.messages', heard.claims, heard.role) as a;
$$;
select results_eq(
  format($$select * from pg_temp.heard('hookline:' || pg_temp.owner('ada'), %L, %L)$$, claims, role), heard, name
)
  from (
    values
      ('a user receives their own topic', pg_temp.claims('ada'), 'authenticated', array['hookline:' || pg_temp.owner('ada') || ' job_event']),
      ('a user does not receive another user''s topic', pg_temp.claims('bob'), 'authenticated', array[]::text[]),
      ('claims without a user receive nothing', '{}', 'authenticated', array[]::text[]),
      ('no token receives nothing', '', 'authenticated', array[]::text[]),
      ('anon receives nothing', pg_temp.claims('ada'), 'anon', array[]::text[])
  ) as t (name, claims, role, heard);
select is_empty($$select * from pg_temp.heard('hookline:', '{}')$$, 'a topic without an owner is received by nobody');
select is_empty(
  $$select * from pg_temp.heard('other:' || pg_temp.owner('ada'), pg_temp.claims('ada'))$$,
  'a topic of another application is not received'
);
select is_empty($$select * from pg_temp.heard('', pg_temp.claims('ada'))$$, 'nothing is received without a topic');
select set_config('realtime.topic', 'hookline:' || pg_temp.owner('ada'), true);
select results_eq(
  $$select left(a, 5)
      from pg_temp.answer(
        format(
          'insert into realtime.messages (topic, extension) values (%L, ''broadcast'') returning topic',
          'hookline:' || pg_temp.owner('ada')
        ),
        pg_temp.claims('ada')
      ) as a$$,
  array['42501'], 'a user may not send to their own topic'
);

-- Realtime's quick start creates such policies.
create policy anybody_hears on realtime.messages for select to authenticated using (true);
create policy anybody_speaks on realtime.messages for insert to authenticated with check (true);
select is_empty(
  format($$select * from pg_temp.heard('hookline:' || pg_temp.owner('ada'), %L) as h where h like 'hookline:' || pg_temp.owner('ada') || '%%'$$, pg_temp.claims('bob')),
  'an open policy of the application does not open our topics for reading'
);
select results_eq(
  $$select left(a, 5)
      from pg_temp.answer(
        format(
          'insert into realtime.messages (topic, extension) values (%L, ''broadcast'') returning topic',
          'hookline:' || pg_temp.owner('ada')
        ),
        pg_temp.claims('bob')
      ) as a$$,
  array['42501'], 'an open policy of the application does not open our topics for sending'
);

select * from finish();
rollback;
