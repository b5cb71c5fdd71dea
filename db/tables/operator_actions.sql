create table upload_pipeline.operator_actions (
  action_id uuid not null default upload_pipeline.uuid7(),
  at timestamptz not null default upload_pipeline.clock(),
  action text not null,
  subject text,
  login text not null default session_user,
  reason text,
  details jsonb not null default '{}',
  constraint operator_actions_pkey primary key (action_id),
  constraint action_is_a_word check (length(action) <= 63 and action ~ '^[a-z][a-z_]*$'),
  constraint reason_is_1_to_500_characters check (length(reason) between 1 and 500),
  constraint details_is_an_object check (jsonb_typeof(details) = 'object'),
  constraint times_are_between_2000_and_9999 check (
    at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

create index operator_actions_by_time on upload_pipeline.operator_actions (at);

create index operator_actions_by_subject on upload_pipeline.operator_actions (subject, at);

comment on table upload_pipeline.operator_actions is
  'What operators did that no history of a job tells: pauses, erasures, purges, caps. Rows are only added; purge '
  'deletes old ones.';
comment on column upload_pipeline.operator_actions.action is 'The function that was called.';
comment on column upload_pipeline.operator_actions.subject is
  'A status; or the SHA-256 of the id of a document or an owner, in hex. So nothing of what was erased is kept, and '
  'who knows the id can look it up. Null: the action is about more than one thing.';
comment on column upload_pipeline.operator_actions.login is 'The login role that called.';
comment on column upload_pipeline.operator_actions.reason is
  'What the caller gave. The dashboard, whose login is that of many, begins it with the name of the person.';
comment on column upload_pipeline.operator_actions.details is 'Arguments and counts, without ids.';

grant select on upload_pipeline.operator_actions to hookline_reader;
