-- How a value is redacted. The patterns are session variables, so they are compiled once and never part of a statement.
-- A pattern's first group is what stands before a match and stays: an escape of JSON (\n) must not be cut in two.

-- Escapes such as \u00e9 become letters first, or half of one would stay behind.
create or replace temp macro plain_json(value) as
    case when contains(value, '\u') and json_valid(value) then json(value)::varchar else value end;

create or replace temp macro redact_patterns(value) as
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        value,
        getvariable('redact_api_key'), '\1[api key]', 'g'),
        getvariable('redact_email'), '\1[email]', 'g'),
        getvariable('redact_iban'), '\1[iban]', 'g'),
        getvariable('redact_card'), '\1[card]', 'g'),
        getvariable('redact_cnpj'), '\1[cnpj]', 'g'),
        getvariable('redact_cpf'), '\1[cpf]', 'g'),
        getvariable('redact_phone'), '\1[phone]', 'g'),
        getvariable('redact_ip'), '\1[ip]', 'g');

create or replace temp macro redact_text(value) as
    regexp_replace(redact_patterns(plain_json(value)), getvariable('redact_own'), '\1[redacted]', 'g');

-- A JSON value after redaction; should it not be JSON any more it is kept as a text.
create or replace temp macro redact_json(value) as
    case when json_valid(redact_text(value::varchar)) then redact_text(value::varchar)::json
         else to_json(redact_text(value::varchar)) end;

-- What stands for an id: the same for the same id and key, and no way back without the key (a keyed hash as of HMAC).
create or replace temp macro hash_id(value) as
    'id-' || left(sha256(getvariable('redact_key') || sha256(getvariable('redact_key') || value)), 20);

create or replace temp macro redact_id(value, is_listed) as
    case when regexp_full_match(value, 'id-[0-9a-f]{20}') then value
         when is_listed or redact_text(value) <> value then hash_id(value)
         else value end;
