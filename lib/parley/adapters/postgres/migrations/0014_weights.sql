-- How much a base's words and the meaning of its texts count where the two are fused: said in its knowledge.yaml. The
-- defaults hold where it says nothing. Everything here is added: older code runs on.

alter table knowledge_bases
    add column words   real not null default 1.0 check (words >= 0),
    add column meaning real not null default 0.4 check (meaning >= 0),
    add check (words + meaning > 0);

insert into knowledge_bases (name) select distinct base from knowledge_documents on conflict do nothing;
