-- The second wall also around what came since: nobody's own, so closed to the role that the API takes for its callers.

alter table desk_employees enable row level security;
alter table desk_laptops enable row level security;
alter table desk_tickets enable row level security;
alter table desk_effects enable row level security;
alter table slack_messages enable row level security;
alter table paces enable row level security;
alter table suppressions enable row level security;

alter table token_usage enable row level security;
create policy own on token_usage to parley_api using (user_id = any(parley_people()));
