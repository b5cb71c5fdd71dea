-- Row security is on for every table, so that a mistaken grant shows nothing. It does not apply to hookline_owner, who
-- owns the functions and views.
alter table upload_pipeline.activity_counts enable row level security;
alter table upload_pipeline.contents enable row level security;
alter table upload_pipeline.deletions enable row level security;
alter table upload_pipeline.documents enable row level security;
alter table upload_pipeline.error_codes enable row level security;
alter table upload_pipeline.event_codes enable row level security;
alter table upload_pipeline.events enable row level security;
alter table upload_pipeline.job_groups enable row level security;
alter table upload_pipeline.notifications enable row level security;
alter table upload_pipeline.operator_actions enable row level security;
alter table upload_pipeline.owner_settings enable row level security;
alter table upload_pipeline.fallbacks enable row level security;
alter table upload_pipeline.provider_jobs enable row level security;
alter table upload_pipeline.providers enable row level security;
alter table upload_pipeline.refused_deliveries enable row level security;
alter table upload_pipeline.statuses enable row level security;
alter table upload_pipeline.transitions enable row level security;
alter table upload_pipeline.upload_jobs enable row level security;
alter table upload_pipeline.webhook_deliveries enable row level security;

create policy readers_see_all on upload_pipeline.error_codes for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.event_codes for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.fallbacks for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.operator_actions for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.providers for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.statuses for select to hookline_reader using (true);
create policy readers_see_all on upload_pipeline.transitions for select to hookline_reader using (true);
