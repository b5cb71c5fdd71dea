create table upload_pipeline.refused_deliveries (
  minute timestamptz not null,
  source text not null,
  reason text not null,
  count bigint not null,
  user_agent text,
  constraint refused_deliveries_pkey primary key (minute, source, reason),
  constraint source_is_a_word check (length(source) <= 63 and source ~ '^[a-z][a-z0-9_]*$'),
  constraint reason_is_a_word check (length(reason) <= 63 and reason ~ '^[a-z][a-z0-9_]*$'),
  constraint count_is_positive check (count > 0),
  constraint user_agent_is_at_most_200_characters check (length(user_agent) <= 200),
  constraint times_are_between_2000_and_9999 check (
    minute <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

comment on table upload_pipeline.refused_deliveries is
  'How many deliveries receivers refused in a minute, by source and reason. No body and no secret is kept. '
  'count_refusals deletes rows after 30 days.';
comment on column upload_pipeline.refused_deliveries.minute is
  'The minute in which the receiver called count_refusals: some seconds after the refusal, or later if Postgres was '
  'away.';
comment on column upload_pipeline.refused_deliveries.user_agent is
  'The name that the last of these senders gave to its program (User-Agent). Anybody may claim any name.';
