-- How errors are grouped. Called on origins of errors only, never on every row.

-- The text inside an error that a client printed as an object: its message speaks, the keys around it don't.
create or replace temp macro spoken_error(message) as
    regexp_replace(regexp_replace(left(message, 2000),
        '(?s)\{.*[''"]message[''"]: ?''([^'']{3,})''.*\}', '\1'),
        '(?s)\{.*[''"]message[''"]: ?"([^"]{3,})".*\}', '\1');

-- A message with everything that varies replaced by a placeholder. The order matters: a URL holds numbers, a UUID holds hex.
create or replace temp macro normalise_error(message) as
    trim(regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(left(spoken_error(message), 1000),
        '[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+', '<email>', 'g'),
        '(?i)\b[a-z][a-z0-9+.-]*://[^\s''"<>)\]]+', '<url>', 'g'),
        '\b[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?\b', '<ip>', 'g'),
        '(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b', '<uuid>', 'g'),
        '(?i)\b0x[0-9a-f]+\b', '<hex>', 'g'),
        '(?i)\b([0-9a-f]{32,128}|[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]{6,}|(req|org|run|call|msg|chatcmpl|resp|sess)[-_][a-z0-9-]*[0-9][a-z0-9-]*)\b', '<hash>', 'g'),
        '\b([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)', '<date>', 'g'),
        '(?i)\b[0-9]+(\.[0-9]+)?\s?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|days?)\b', '<duration>', 'g'),
        '(\b|_)[0-9]+([.,][0-9]+)*(\b|_)', '\1<number>\3', 'g'),
        '(''[^''\n]{1,200}''|"[^"\n]{1,200}"|`[^`\n]{1,200}`)', '<value>', 'g'),
        '\s+', ' ', 'g'));

-- A status code where a client writes one: at the start, or after the word that announces it.
create or replace temp macro says_status(message, codes) as
    regexp_matches(message, '(?i)(^\W{0,3}|(status|code|error|http)[^0-9]{0,14})(' || codes || ')\b');

-- What went wrong, in thirteen classes. The first that fits: specific texts before status codes before the row's type.
create or replace temp macro error_class(message, observation_type) as
    case
        when message is null then if(observation_type = 'TOOL', 'tool_exception', 'other')
        when regexp_matches(message, '(?i)insufficient[_ ]quota|\bquota\b|billing (hard )?limit|credit balance|payment required') then 'quota'
        when regexp_matches(message, '(?i)rate[-_ ]?limit|too many requests|\bthrottl') or says_status(message, '429') then 'rate_limit'
        when regexp_matches(message, '(?i)context[-_ ]?(length|window)|maximum context|too many tokens|prompt is too long|token limit|max(imum)?[_ ]tokens') then 'context_length'
        when regexp_matches(message, '(?i)content[-_ ]?(filter|policy|management)|safety (system|setting|filter)|moderation|guardrail|\bflagged\b') then 'content_filter'
        when regexp_matches(message, '(?i)api[-_ ]?key|unauthori[sz]ed|authenticat|permission denied|forbidden|access denied') or says_status(message, '401|403') then 'authentication'
        when regexp_matches(message, '(?i)tim(e|ed)[-_ ]?out|timeoutexpired|deadline exceeded|took longer than') or says_status(message, '408|504|524') then 'timeout'
        when regexp_matches(message, '(?i)connection|connecterror|unreachable|\bECONN|\bENOTFOUND\b|\bnetwork\b|\bsocket\b|\bdns\b|name resolution|\bssl\b|broken pipe|peer closed') then 'connection'
        when regexp_matches(message, '(?i)internal ?server ?error|server had an error|bad gateway|service unavailable|\boverloaded') or says_status(message, '5[0-9]{2}') then 'upstream_5xx'
        when regexp_matches(message, '(?i)json|\bpars(e|er|ing)\b|malformed|invalid (output|response|tool call|format)|unexpected (token|end)|schema|unterminated') then 'invalid_output'
        when regexp_matches(message, '(?i)not[-_ ]?found|does ?n.t exist|does not exist|no such|\bunknown (city|order|id|model|user|key)\b') or says_status(message, '404') then 'not_found'
        when regexp_matches(message, '(?i)validation|\binvalid\b|bad ?request|missing (required|field|argument|parameter)|must be|is required') or says_status(message, '400|422') then 'validation'
        when observation_type = 'TOOL' then 'tool_exception'
        else 'other'
    end;
