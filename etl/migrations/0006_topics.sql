-- What topics of conversations are told apart by. Fitted on a sample once and kept, so that new sessions find the topics
-- that are there; replaced only as etl/topics.py says.

-- One row: when and on what it was fitted. rules: a digest of the models and settings it depends on. sessions: how many
-- there were. other_share: which share of the recent sessions with words fitted no topic right after.
create table meta.topic_fit (
    rules varchar not null,
    fitted_at timestamp not null,
    sessions bigint not null,
    sampled bigint not null,
    other_share double
);

-- One row per term (a word's first letters, without accents): how telling it is.
create table meta.topic_vocabulary (term varchar not null, idf double not null);

-- One row per topic and term: the weight of the term in the topic's direction (of length 1).
create table meta.topic_centroids (topic_id varchar not null, term varchar not null, weight double not null);

-- One row per topic; key topic_id. terms: the most telling words and phrases, as users write them.
create table meta.topic_labels (topic_id varchar not null, label varchar not null, terms varchar[] not null);
