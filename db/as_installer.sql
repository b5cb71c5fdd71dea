-- Returns to the role that was current before as_owner.sql.
do $$
begin
  perform set_config('role', current_setting('hookline.installer'), true);
end;
$$;
