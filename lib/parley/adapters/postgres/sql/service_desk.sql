-- name: desk_laptops_of
select l.asset, l.model, l.shipped, e.region, e.country, e.role
  from desk_laptops l join desk_employees e using (email)
 where l.email = %(email)s order by l.shipped, l.asset

-- name: desk_employee
select email, name, region, country, role from desk_employees where email = %(email)s

-- name: desk_ticket_of_effect
select number, kind, asset, model, summary, state, created_at from desk_tickets
 where effect_key = %(key)s and email = %(email)s

-- name: desk_open_ticket
-- The same call again inserts nothing, and neither does a second refresh of a laptop: the reader finds which it was.
insert into desk_tickets (email, kind, asset, model, summary, effect_key, opened_by)
values (%(email)s, %(kind)s, %(asset)s, %(model)s, %(summary)s, %(key)s, %(agent)s)
on conflict do nothing
returning number, kind, asset, model, summary, state, created_at

-- name: desk_open_refresh
select number from desk_tickets where asset = %(asset)s and kind = 'laptop_refresh' and state = 'open'

-- name: desk_tickets_of
select number, kind, asset, model, summary, state, created_at from desk_tickets
 where email = %(email)s order by number desc limit %(limit)s

-- name: desk_cancel_ticket
with cancelled as (
    update desk_tickets set state = 'cancelled', updated_at = now()
     where number = %(number)s and email = %(email)s and state = 'open'
    returning number
)
insert into desk_effects (effect_key, number, outcome)
select %(key)s, number, 'cancelled' from cancelled
on conflict do nothing
returning number

-- name: desk_effect
select e.number, e.outcome from desk_effects e join desk_tickets t using (number)
 where e.effect_key = %(key)s and t.email = %(email)s

-- name: desk_put_employee
insert into desk_employees (email, name, region, country, role)
values (%(email)s, %(name)s, %(region)s, %(country)s, %(role)s)
on conflict (email) do update
   set name = excluded.name, region = excluded.region, country = excluded.country, role = excluded.role

-- name: desk_put_laptop
insert into desk_laptops (asset, email, model, shipped) values (%(asset)s, %(email)s, %(model)s, %(shipped)s)
on conflict (asset) do update set email = excluded.email, model = excluded.model, shipped = excluded.shipped
