-- How a value is redacted. The patterns are session variables, so they are compiled once and never part of a statement.
-- A pattern's first group is what stands before a match and stays: an escape of JSON (\n) must not be cut in two.

-- Escapes such as \u00e9 become letters first, or half of one would stay behind.
create or replace temp macro plain_json(value) as
    case when contains(value, '\u') and json_valid(value) then json(value)::varchar else value end;

-- Whether digits are a card's, by the Luhn checksum: nine in ten numbers of that length are not.
create or replace temp macro is_card(digits) as
    list_sum(list_transform(list_reverse(string_split(digits, '')), lambda digit, place:
        case when place % 2 = 1 then digit::integer
             else digit::integer * 2 // 10 + digit::integer * 2 % 10 end)) % 10 = 0;

create or replace temp macro without_cards(value) as
    case when regexp_matches(value, getvariable('redact_card'))
         then list_reduce(
             list_prepend(value, list_filter(regexp_extract_all(value, getvariable('redact_card'), 2),
                 lambda card: is_card(regexp_replace(card, '[^0-9]', '', 'g')))),
             lambda rest, card: replace(rest, card, '[card]'))
         else value end;

-- The steps of a text, apart because the cards between them name their text four times over.
create or replace temp macro redact_first(value) as
    regexp_replace(regexp_replace(regexp_replace(
        value,
        getvariable('redact_api_key'), '\1[api key]', 'g'),
        getvariable('redact_email'), '\1[email]', 'g'),
        getvariable('redact_iban'), '\1[iban]', 'g');

create or replace temp macro redact_last(value) as
    redact_own(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        value,
        getvariable('redact_cnpj'), '\1[cnpj]', 'g'),
        getvariable('redact_cpf'), '\1[cpf]', 'g'),
        getvariable('redact_phone'), '\1[phone]', 'g'),
        getvariable('redact_ip'), '\1[ip]', 'g'));

-- One pass over a text tells whether there is anything to do, which most often there isn't.
create or replace temp macro is_suspect(value) as coalesce(regexp_matches(value, getvariable('redact_any')), false);

create or replace temp macro may_change(value) as contains(value, '\u') or is_suspect(value);

-- Short text, in one expression.
create or replace temp macro redact_text(value) as
    case when is_suspect(value) then redact_last(without_cards(redact_first(value))) else value end;

-- JSON, token by token: a number that must not stay becomes a text in quotes.
create or replace temp macro redact_tokens(value) as
    array_to_string(list_transform(
        regexp_extract_all(value, '"(?:[^"\\]|\\.)*"|[0-9+.eE-]+|[^"0-9+.eE-]+'),
        lambda token: case when token[1] = '"' or redact_text(token) = token then redact_text(token)
                      else to_json(redact_text(token))::varchar end), '');

-- Whether a text was JSON until it was redacted, which it isn't where a bare number was replaced.
create or replace temp macro is_broken(value, redacted) as
    redacted <> value and json_valid(value) and not json_valid(redacted);

create or replace temp macro mended(value, redacted) as
    case when value is null then redacted
         when json_valid(redact_tokens(value)) then redact_tokens(value)
         else to_json(redacted)::varchar end;

create or replace temp macro redact_tags(value) as
    case when is_suspect(array_to_string(value, chr(10)))
         then list_transform(value, lambda tag: redact_text(tag)) else value end;

-- Whether a JSON text has anything at a place, and the text with it replaced.
create or replace temp macro has_at(value, place) as
    case when json_valid(value::varchar) then json_exists(value::json, place) else false end;
create or replace temp macro redact_at(value, patch) as json_merge_patch(value::json, patch::json)::varchar;

-- What stands for an id: the same for the same id and key, and no way back without the key (a keyed hash as of HMAC).
create or replace temp macro hash_id(value) as
    'id-' || left(sha256(getvariable('redact_key') || sha256(getvariable('redact_key') || value)), 20);

create or replace temp macro redact_id(value, is_listed) as
    case when regexp_full_match(value, 'id-[0-9a-f]{20}') then value
         when is_listed or redact_text(value) <> value then hash_id(value)
         else value end;
