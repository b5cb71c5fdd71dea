create schema upload_pipeline;

comment on schema upload_pipeline is
  'Hookline: document-parsing webhooks as durable job state. Call the functions; only they write to the tables.';

grant usage on schema upload_pipeline
  to hookline_ingest, hookline_worker, hookline_operator, hookline_reader;
