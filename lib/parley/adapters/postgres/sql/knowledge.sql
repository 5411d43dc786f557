-- name: document_digests
select slug, digest from knowledge_documents where base = %(base)s

-- name: upsert_document
insert into knowledge_documents (id, base, slug, title, updated, digest)
values (%(id)s, %(base)s, %(slug)s, %(title)s, %(updated)s, %(digest)s)
on conflict (base, slug) do update
   set title = excluded.title, updated = excluded.updated, digest = excluded.digest, loaded_at = now()
returning id

-- name: delete_chunks
delete from knowledge_chunks where document_id = %(document_id)s

-- name: insert_chunk
-- The title counts like the heading: a section speaks of what its document is about.
insert into knowledge_chunks (document_id, ordinal, heading, anchor, content, search)
values (%(document_id)s, %(ordinal)s, %(heading)s, %(anchor)s, %(content)s,
        setweight(to_tsvector('english', %(heading)s), 'A') || setweight(to_tsvector('english', %(title)s), 'B')
        || setweight(to_tsvector('english', %(content)s), 'C'))

-- name: delete_documents_but
delete from knowledge_documents where base = %(base)s and not slug = any(%(slugs)s)

-- name: search_chunks
-- Any word may match (a question is no query); passages are ranked by closeness and by the share of words they have.
with asked as (
    select to_tsvector('english', %(question)s) as words
), wanted as (
    select words, tsvector_to_array(words) as lexemes,
           (select string_agg(quote_literal(lexeme), ' | ')::tsquery from unnest(words)) as query
      from asked
), found as (
    select d.slug, d.title, c.heading, c.anchor, c.content,
           ts_rank_cd('{0.1, 0.4, 0.6, 1.0}', c.search, w.query, 1) as closeness,
           (select count(*) from unnest(w.lexemes) l where c.search @@ quote_literal(l)::tsquery)::float8
             / greatest(cardinality(w.lexemes), 1) as share
      from wanted w
      join knowledge_chunks c on c.search @@ w.query
      join knowledge_documents d on d.id = c.document_id
     where d.base = any(%(bases)s) and d.groups = '{}'
)
select slug, title, heading, anchor, content, share
  from found order by share * (1 + ln(1 + closeness)) desc, slug, anchor limit %(limit)s
