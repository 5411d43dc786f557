-- Knowledge by words and by meaning, with where it comes from. Everything here is added: older code runs on.

create table knowledge_bases (
    name      text primary key,
    version   bigint not null default 0,          -- plus one for each load that changed something
    loaded_at timestamptz not null default now()
);

-- The embedding models that were used; one of them is what everything is searched by.
create table knowledge_models (
    id         int generated always as identity primary key,
    name       text not null,                     -- as the model server names it
    dimension  int not null check (dimension > 0),
    active     boolean not null default false,
    created_at timestamptz not null default now()
);
create unique index knowledge_models_active on knowledge_models (active) where active;

-- What was embedded, by its text: a load that was cut off goes on, and nothing is paid for twice.
create table knowledge_embeddings (
    model     int not null references knowledge_models on delete cascade,
    digest    bytea not null,                     -- SHA-256 of the text
    embedding halfvec not null,
    used_at   timestamptz not null default now(),
    primary key (model, digest)
);

-- In how many chunks of a base a word is: rare words say more. Counted over what everybody may read, so that nothing
-- of the rest can be inferred.
create table knowledge_words (
    base     text not null,
    language text not null,
    lexeme   text not null,
    chunks   int not null,
    primary key (base, language, lexeme)
);

-- Sources that nobody is shown, whatever is loaded from them. One that ends with / is a folder.
create table knowledge_quarantine (
    base       text not null,
    source     text not null,
    reason     text not null,
    created_at timestamptz not null default now(),
    primary key (base, source)
);

alter table knowledge_documents
    add column source      text not null default '',             -- the file, from the folder of its base
    add column url         text,                                 -- where people read it
    add column language    text not null default 'english',      -- the text search configuration
    add column chunks      int not null default 0,
    add column quarantined boolean not null default false;

update knowledge_documents d
   set source = slug || '.md', chunks = (select count(*) from knowledge_chunks c where c.document_id = d.id);

-- The columns from `base` on say again what the document says, so that an index scan filters without a second table; a
-- trigger keeps it so.
alter table knowledge_chunks
    add column digest      bytea not null default '',            -- SHA-256 of the text that is embedded
    add column model       int references knowledge_models,      -- that made the embedding
    add column loaded_at   timestamptz not null default now(),
    add column base        text not null default '',
    add column language    text not null default 'english',
    add column groups      text[] not null default '{}',
    add column quarantined boolean not null default false,
    alter column embedding set storage main;                     -- beside the row: it is read for every comparison

update knowledge_chunks c
   set base = d.base, groups = d.groups, search = search || array_to_tsvector(array[' ' || d.base])
  from knowledge_documents d where d.id = c.document_id;

create index knowledge_chunks_model on knowledge_chunks (model) where model is not null;
create index knowledge_chunks_digest on knowledge_chunks (digest);

create function knowledge_follow() returns trigger language plpgsql as $$
begin
    update knowledge_chunks
       set base = new.base, language = new.language, groups = new.groups, quarantined = new.quarantined
     where document_id = new.id;
    return null;
end $$;
create trigger knowledge_follow after update on knowledge_documents for each row
when ((old.base, old.language, old.groups, old.quarantined)
      is distinct from (new.base, new.language, new.groups, new.quarantined))
execute function knowledge_follow();

-- The words of a text in the forms that are compared: stemmed, without accents, which people leave out.
create function knowledge_lexemes(language text, words text) returns tsvector
language sql immutable strict parallel safe
return translate(to_tsvector(language::regconfig, words)::text,
                 'àáâãäåāăąçćčďèéêëēěęğìíîïīıłñńňòóôõöøōőřśšşșťțùúûüūůűýÿžźżß',
                 'aaaaaaaaacccdeeeeeeegiiiiiilnnnoooooooorsssssttuuuuuuuyyzzzs')::tsvector;

-- The role of the HTTP API has nothing to do with these: no policy lets it see a row.
alter table knowledge_documents enable row level security;
alter table knowledge_chunks enable row level security;
alter table knowledge_embeddings enable row level security;
alter table knowledge_quarantine enable row level security;
