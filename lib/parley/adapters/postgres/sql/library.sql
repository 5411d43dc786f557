-- name: lock_library
select pg_advisory_xact_lock(7233917002), set_config('statement_timeout', '10min', true)

-- name: base_version
select coalesce((select version from knowledge_bases where name = %(base)s), 0) as version

-- name: base_documents
select source, digest from knowledge_documents where base = %(base)s

-- name: find_model
select id, name, dimension, active from knowledge_models
 where name = %(name)s and dimension = %(dimension)s order by id desc limit 1

-- name: add_model
insert into knowledge_models (name, dimension) values (%(name)s, %(dimension)s) returning id, name, dimension, active

-- name: reuse_embeddings
-- Of these texts, what some chunk has already.
insert into knowledge_embeddings (model, digest, embedding)
select distinct on (digest) model, digest, embedding
  from knowledge_chunks where model = %(model)s and digest = any(%(digests)s::bytea[])
on conflict do nothing

-- name: touch_embeddings
update knowledge_embeddings set used_at = now() where model = %(model)s and digest = any(%(digests)s::bytea[])
returning digest

-- name: stage_embeddings
insert into knowledge_embeddings (model, digest, embedding)
select %(model)s, n.digest, n.embedding
  from unnest(%(digests)s::bytea[], %(vectors)s::halfvec[]) as n (digest, embedding)
on conflict (model, digest) do update set used_at = now()

-- name: unembedded_chunks
-- Chunks of any base that this model has not embedded; a page after the given place.
select c.document_id, c.ordinal, c.digest, d.title, c.heading, c.content
  from knowledge_chunks c join knowledge_documents d on d.id = c.document_id
 where c.model is distinct from %(model)s and (c.document_id, c.ordinal) > (%(document_id)s::uuid, %(ordinal)s)
 order by c.document_id, c.ordinal limit %(limit)s

-- name: upsert_document
insert into knowledge_documents (id, base, slug, title, updated, digest, groups, source, url, language, chunks)
values (%(id)s, %(base)s, %(slug)s, %(title)s, %(updated)s, %(digest)s, %(groups)s, %(source)s, %(url)s, %(language)s,
        %(chunks)s)
on conflict (base, slug) do update
   set title = excluded.title, updated = excluded.updated, digest = excluded.digest, groups = excluded.groups,
       source = excluded.source, url = excluded.url, language = excluded.language, chunks = excluded.chunks,
       loaded_at = now()
returning id

-- name: delete_chunks
delete from knowledge_chunks where document_id = %(document_id)s

-- name: insert_chunks
-- The title counts like the heading: a section speaks of what its document is about. The base is a word, too, with a
-- space before it that no word of a text has: the index finds words and base together.
insert into knowledge_chunks (document_id, ordinal, heading, anchor, content, digest, search, embedding, model, base,
                              language, groups)
select d.id, n.ordinal, n.heading, n.anchor, n.content, n.digest,
       setweight(knowledge_lexemes(d.language, n.heading), 'A') || setweight(knowledge_lexemes(d.language, d.title), 'B')
       || setweight(knowledge_lexemes(d.language, n.content), 'C') || array_to_tsvector(array[' ' || d.base]),
       e.embedding, e.model, d.base, d.language, d.groups
  from knowledge_documents d
 cross join unnest(%(ordinals)s::int[], %(headings)s::text[], %(anchors)s::text[], %(contents)s::text[],
                   %(digests)s::bytea[]) as n (ordinal, heading, anchor, content, digest)
  left join knowledge_embeddings e on e.model = %(model)s and e.digest = n.digest
 where d.id = %(document_id)s

-- name: delete_documents_but
delete from knowledge_documents where base = %(base)s and not source = any(%(sources)s::text[])

-- name: embed_chunks
-- Give every chunk the embedding of this model, where there is one.
update knowledge_chunks c set embedding = e.embedding, model = e.model
  from knowledge_embeddings e
 where e.model = %(model)s and e.digest = c.digest and c.model is distinct from %(model)s

-- name: retire_models
update knowledge_models set active = false where active and id <> %(model)s

-- name: activate_model
update knowledge_models set active = true where id = %(model)s and not active

-- name: next_version
insert into knowledge_bases (name, version) values (%(base)s, 1)
on conflict (name) do update set version = knowledge_bases.version + 1, loaded_at = now()

-- name: weigh_base
insert into knowledge_bases (name, words, meaning) values (%(base)s, %(words)s, %(meaning)s)
on conflict (name) do update set words = excluded.words, meaning = excluded.meaning
 where (knowledge_bases.words, knowledge_bases.meaning) is distinct from (excluded.words, excluded.meaning)

-- name: forget_words
delete from knowledge_words where base = %(base)s

-- name: count_words
insert into knowledge_words (base, language, lexeme, chunks)
select base, language, w.lexeme, count(*)
  from knowledge_chunks, unnest(search) w
 where base = %(base)s and cardinality(groups) = 0 and not quarantined and w.lexeme not like ' %%'
 group by base, language, w.lexeme

-- name: add_quarantine
insert into knowledge_quarantine (base, source, reason) values (%(base)s, %(source)s, %(reason)s)
on conflict (base, source) do update set reason = excluded.reason, created_at = now()

-- name: end_quarantine
delete from knowledge_quarantine where base = %(base)s and source = %(source)s

-- name: quarantine_documents
update knowledge_documents d set quarantined = not d.quarantined
 where d.base = %(base)s
   and d.quarantined <> exists (
       select from knowledge_quarantine q
        where q.base = d.base and (q.source = d.source or q.source like '%%/' and starts_with(d.source, q.source)))

-- name: note_quarantine
insert into audit_log (actor, action, object, detail)
values (%(actor)s, %(action)s, %(object)s, %(detail)s)

-- name: forget_embeddings
delete from knowledge_embeddings where used_at < now() - interval '7 days'

-- name: list_sources
select d.base, d.source, d.slug, d.title, d.language, d.groups, d.chunks, d.digest, d.loaded_at, d.quarantined, q.reason,
       (select count(*) from knowledge_chunks c join knowledge_models m on m.id = c.model and m.active
         where c.document_id = d.id) as embedded
  from knowledge_documents d
  left join lateral (
       select reason from knowledge_quarantine q
        where q.base = d.base and (q.source = d.source or q.source like '%%/' and starts_with(d.source, q.source))
        order by length(q.source) desc limit 1) q on true
 where %(base)s::text is null or d.base = %(base)s
 order by d.base, d.source

-- name: chunks_of_model
select count(*) as chunks from knowledge_chunks where model = %(model)s

-- name: near_indexes
select indexname as name from pg_indexes where tablename = 'knowledge_chunks' and indexname like 'knowledge\_chunks\_near\_%%'

-- name: memory_for_index
select set_config('maintenance_work_mem', %(memory)s, true)

-- name: index_chunks
create index if not exists {index} on knowledge_chunks using hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops)
 where model = {model}

-- name: drop_index
drop index if exists {index}

-- name: analyze_knowledge
analyze knowledge_documents, knowledge_chunks, knowledge_words
