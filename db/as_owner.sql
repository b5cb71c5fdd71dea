-- What follows is created as hookline_owner. The current role is remembered, because the installer may have used
-- `set role` itself (the Supabase CLI does). as_installer.sql returns to it.
do $$
begin
  perform set_config('hookline.installer', current_user, true);
end;
$$;

set local role hookline_owner;
