-- What follows is created as hookline_owner. The installer's own role is remembered, because it may itself be
-- a `set role` (Supabase's CLI does that); as_installer.sql gives it back.
do $$
begin
  perform set_config('hookline.installer', current_user, true);
end;
$$;

set local role hookline_owner;
