-- name: active_model
select id, name, dimension from knowledge_models where active

-- name: search_chunks
-- By words and by meaning at once: two lists, fused by reciprocal rank, each as much as its base says. {model} and {dimension} are numbers of ours: a
-- partial index is only used when they are no parameters. Without a model, {model} is null and only words count.
--
-- By words: any of the question's words may match (a question is no query); a chunk's share of them, rare words
-- weighing more, counts first, their closeness second. Where many chunks would match, the rarest words find them.
-- By meaning: all visible chunks are compared when they are few; otherwise the index is walked until there are enough,
-- and should it end before, all are compared after all: `depth` rows or all rows.
with reader as materialized (
    select coalesce((select groups from users where id = %(reader)s), array[]::text[]) as groups
), visible as not materialized (
    select d.id, d.language, d.chunks
      from knowledge_documents d, reader r
     where d.base = any(%(bases)s) and not d.quarantined and (cardinality(d.groups) = 0 or d.groups && r.groups)
), sizes as materialized (
    select language, sum(chunks)::float8 as chunks from visible group by language
), lexemes as materialized (
    select s.language, w.lexeme, k.chunks as known,
           1 + ln(1 + greatest(s.chunks - k.chunks, 0) / greatest(k.chunks, 1)) as weight
      from sizes s
     cross join unnest(knowledge_lexemes(s.language, %(question)s)) w
     cross join lateral (
           select coalesce(sum(k.chunks), 0)::float8 as chunks from knowledge_words k
            where k.base = any(%(bases)s) and k.language = s.language and k.lexeme = w.lexeme) k
), chosen as materialized (
    select language, lexeme, weight, quote_literal(lexeme)::tsquery as one, known = 0 or so_far <= %(many)s or so_far = known as finds
      from (select *, row_number() over byrarity as place, sum(known) over byrarity as so_far from lexemes
            window byrarity as (partition by language order by known = 0, known, lexeme)) as l
     where place <= %(words)s
), queries as materialized (
    select c.language, array_agg(c.one) as each, array_agg(c.weight) as weights,
           (select sum(l.weight) from lexemes l where l.language = c.language) as whole,
           string_agg(quote_literal(c.lexeme), ' | ')::tsquery as any_word
      from chosen c group by c.language
), found as materialized (
    select c.document_id, c.ordinal, c.language, sum(w.weight) as weight
      from reader r
     cross join (select string_agg(quote_literal(' ' || base), ' | ')::tsquery as bases from unnest(%(bases)s::text[]) as base) b
     cross join chosen w
     cross join lateral (
           select document_id, ordinal, language from knowledge_chunks
            where search @@ (b.bases && w.one) and language = w.language and not quarantined
              and (cardinality(groups) = 0 or groups && r.groups)
           offset 0) c
     where w.finds
     group by c.document_id, c.ordinal, c.language
     order by weight desc, c.document_id, c.ordinal limit 2 * %(depth)s
), candidates as materialized (
    -- To add nothing makes a copy: it is read once from where long values are kept, and not for each word.
    select f.document_id, f.ordinal, f.language, c.anchor, c.search || ''::tsvector as search
      from found f join knowledge_chunks c using (document_id, ordinal)
), by_words as materialized (
    select base, document_id, ordinal,
           row_number() over (order by share * (1 + ln(1 + closeness)) desc, slug, anchor, ordinal) as place
      from (select d.base, c.document_id, c.ordinal, d.slug, c.anchor,
                   ts_rank_cd(array[0.1, 0.4, 0.6, 1.0]::float4[], c.search, q.any_word, 1) as closeness,
                   (select sum(l.weight) from unnest(q.each, q.weights) as l(one, weight) where c.search @@ l.one)
                     / q.whole as share
              from candidates c
              join knowledge_documents d on d.id = c.document_id
              join queries q on q.language = c.language) as m
     order by place limit %(depth)s
), size as materialized (
    select coalesce(sum(chunks), 0) as chunks from sizes
), compared as materialized (
    select c.base, c.document_id, c.ordinal, c.embedding <=> %(vector)s::halfvec as distance
      from visible v join knowledge_chunks c on c.document_id = v.id
     where c.model = {model} and (select chunks <= %(few)s from size)
     order by distance limit %(depth)s
), walked as materialized (
    select c.base, c.document_id, c.ordinal, c.embedding::halfvec({dimension}) <=> %(vector)s::halfvec({dimension}) as distance
      from knowledge_chunks c
     where c.model = {model}
       and case when c.quarantined then false else c.base = any(%(bases)s)
                and (cardinality(c.groups) = 0 or c.groups && (select groups from reader)) end
       and (select chunks > %(few)s and set_config('hnsw.iterative_scan', 'relaxed_order', true) <> ''
                   and set_config('hnsw.ef_search', '100', true) <> '' from size)
     order by distance limit %(depth)s
), compared_after_all as materialized (
    select c.base, c.document_id, c.ordinal, c.embedding <=> %(vector)s::halfvec as distance
      from visible v join knowledge_chunks c on c.document_id = v.id
     where c.model = {model} and (select chunks > %(few)s and (select count(*) from walked) < %(depth)s from size)
     order by distance limit %(depth)s
), by_meaning as materialized (
    select base, document_id, ordinal, distance,
           row_number() over (order by distance, document_id, ordinal) as place
      from (select * from compared union all
            select * from walked where (select count(*) from walked) = %(depth)s union all
            select * from compared_after_all) as all_of_them
), fused as materialized (
    select document_id, ordinal, m.distance,
           coalesce(k.words / ({flat} + w.place), 0) + coalesce(k.meaning / ({flat} + m.place), 0) as score
      from by_words w full join by_meaning m using (base, document_id, ordinal)
      join knowledge_bases k on k.name = base
     order by score desc, w.place, document_id, ordinal limit %(limit)s
)
select d.slug, d.title, c.heading, c.anchor, c.content, d.source, d.url, d.language, d.digest, c.loaded_at,
       1 - f.distance as similarity,
       coalesce((select sum(l.weight) from unnest(q.each, q.weights) as l(one, weight) where c.search @@ l.one) / q.whole, 0) as share
  from fused f
  join visible v on v.id = f.document_id
  join knowledge_chunks c using (document_id, ordinal)
  join knowledge_documents d on d.id = c.document_id
  left join queries q on q.language = d.language
 order by f.score desc, d.slug, c.anchor, c.ordinal
