-- How the words of topics are cut. Temporary; the fit (etl/topics_sql) and the models share them.

-- A text without what is no word: addresses, paths, codes, numbers, placeholders of redaction. Lower case.
create or replace temp macro topic_text(content) as
    lower(regexp_replace(content, '\S*(?:[0-9@_\\{}=]|://|[\w)]\.[\w(])\S*|\[\w+\]', ' . ', 'g'));

-- Its words of three letters or more.
create or replace temp macro topic_words(content) as regexp_extract_all(topic_text(content), '\pL{3,}');

-- Words of one family share their first six letters, without accents and the s of a plural: refund, refunds, refunded.
create or replace temp macro topic_term(word) as left(rtrim(strip_accents(word), 's'), 6);
