-- How errors are grouped. Called on origins of errors only, never on every row.
-- spoken_error: the text inside an error that a client printed as an object, or a proxy as a page.
create or replace temp macro spoken_error(message) as
    trim(regexp_replace(regexp_replace(
        if(regexp_matches(message, '(?i)<(!doctype|html|body)'),
            regexp_replace(regexp_replace(left(message, 4000), '(?is)<(style|script)[^>]*>.*?</(style|script)>', ' ', 'g'),
                '(?s)<[^>]*>', ' ', 'g'),
            left(message, 2000)),
        '(?s)\{.*[''"](?:message|detail|msg|error_description|error)[''"]: ?''([^'']{3,})''.*\}', '\1'),
        '(?s)\{.*[''"](?:message|detail|msg|error_description|error)[''"]: ?"([^"]{3,})".*\}', '\1'));

-- A message with everything that varies replaced by a placeholder. The order matters: a URL holds numbers, a UUID holds hex.
create or replace temp macro without_names(message) as
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
        '[\pL0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+', '<email>', 'g'),
        '(?i)\b[a-z][a-z0-9+.-]*://[^\s''"<>)\]]+', '<url>', 'g'),
        '\b[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?\b', '<ip>', 'g'),
        '(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b', '<uuid>', 'g'),
        '(?i)\b0x[0-9a-f]+\b', '<hex>', 'g'),
        '(?i)\b(req|org|proj|run|call|msg|chatcmpl|resp|sess|toolu|thread|asst|file|batch|cus|evt|i)[-_][a-z0-9-]*[0-9][a-z0-9-]*\b|\b(sk|pk|rk|ghp|gsk)[-_][a-z0-9_*-]+', '<hash>', 'g'),
        '(?i)\b([0-9a-f]{32,128}|[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]{6,}|[a-z]{0,12}[0-9][a-z0-9]{14,})\b', '<hash>', 'g'),
        '\b[A-Z]{1,4}[0-9]{6,}[A-Z]{0,4}\b', '<hash>', 'g'),
        '(^|[\s(=:,])[\w.~-]*(/[\w.@-]+)+\.[A-Za-z]{1,5}\b(:[0-9]+)*', '\1<path>', 'g'),
        '\b([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)', '<date>', 'g');

create or replace temp macro normalise_error(message) as
    trim(regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(without_names(message),
        '(?i)\b([0-9]+([.,][0-9]+)?\s?(ms|milliseconds?|s|secs?|seconds?|segundos?|m|mins?|minutes?|minutos?|h|hours?|horas?|days?|dias?)){1,4}\b', '<duration>', 'g'),
        '(?i)\b[0-9]+([.,][0-9]+)?\s?([kmgt]i?b|bytes|tokens)\b', '<number>', 'g'),
        '\bv[0-9]+(\.[0-9]+)*\b', 'v<number>', 'g'),
        '(\b|_)[0-9]+([.,][0-9]+)*(\b|_)', '\1<number>\3', 'g'),
        '(^|[\s(\[=:,])[-+]<number>', '\1<number>', 'g'),
        '[\[{][''"][^\n]*', '<value>', 'g'),
        '(''[^''\n]{1,200}''|"[^"\n]{1,200}"|`[^`\n]{1,200}`)', '<value>', 'g'),
        '<value>([^\s<>]{0,60}<value>)+', '<value>', 'g'),
        '\s+', ' ', 'g'));

-- A status code where a client writes one: at the start, or after the word that announces it.
create or replace temp macro says_status(message, codes) as
    regexp_matches(message, '(?i)(^\W{0,3}|(status|code|error|http|exception:)[^0-9]{0,14})(' || codes || ')\b');

-- What went wrong, in thirteen classes. The first that fits: specific texts before status codes before the row's type.
-- Word by word in English and Portuguese; names of exceptions are matched with and without their spaces.
create or replace temp macro class_of_text(message, observation_type) as
    case
        when message is null or message = '' then if(observation_type = 'TOOL', 'tool_exception', 'other')
        when regexp_matches(message, '(?i)insufficient[_ ](quota|credit|funds|balance)|\bquota\b|\bcota\b|billing (hard )?limit|credit balance|payment ?required|out of credits|cr[ée]ditos? (insuficiente|esgotad)') or says_status(message, '402') then 'quota'
        when regexp_matches(message, '(?i)rate[-_ ]?limit|too ?many ?requests|\bthrottl|throttling|requests per (second|minute|hour|day)|limite de (requisi|taxa|chamadas)|muitas requisi|resource ?exhausted') or says_status(message, '429') then 'rate_limit'
        when regexp_matches(message, '(?i)context[-_ ]?(length|window|limit|size)|maximum context|too many tokens|(prompt|input|request) (is|was|are)? ?too (long|large)|token (limit|count)|max(imum)?[_ ]((completion|output|new)[_ ])?tokens|number of tokens|maximum (model|sequence|prompt|input) length|length limit|limite de tokens|tokens? (exceed|over)') then 'context_length'
        when regexp_matches(message, '(?i)content[-_ ]?(filter|policy|management)|\bsafety\b|moderation|guardrail|\bflagged\b|prohibited_content|block_?reason|blocked ?prompt|usage polic|responsible ?ai|\bharmful\b|recitation') then 'content_filter'
        when regexp_matches(message, '(?i)api[-_ ]?key|unauthori[sz]ed|not authori[sz]ed|authenticat|autentica|permission ?denied|\bpermiss|permission_?error|forbidden|access ?denied|acesso negado|n[ãa]o autorizad|expired ?token|(token|signature|credentials?|jwt)[^.]{0,40} (has |is |have )?expired|invalid[_ ](token|grant|credentials|auth)|credentials? (not|were not|could not)|unable to locate credentials') or says_status(message, '401|403') then 'authentication'
        when regexp_matches(message, '(?i)tim(e|ed)[-_ ]?out|timeoutexpired|deadline ?exceeded|took longer than|tempo (limite|esgotado)|tiempo de espera|tempo de resposta') or says_status(message, '408|504|524') then 'timeout'
        when regexp_matches(message, '(?i)connection|connect ?error|cannot connect|unreachable|\bECONN|\bENOTFOUND\b|EAI_AGAIN|\bEPIPE\b|\bnetwork\b|\bsocket\b|\bdns\b|name resolution|name or service|no route to host|\bssl\b|\btls\b|certificate|broken pipe|peer closed|server disconnected|fetch failed|conex[ãa]o|conectar|too many clients|eof occurred') then 'connection'
        when regexp_matches(message, '(?i)internal ?server ?error|server had an error|bad ?gateway|service ?(temporarily )?unavailable|\boverloaded|\bunavailable\b|indispon[íi]vel|upstream (error|request)|origin (error|web server)') or says_status(message, '5[0-9]{2}') then 'upstream_5xx'
        when regexp_matches(message, '(?i)json|\bpars(e|er|ing)\b|outputparser|malformed|invalid (output|response|tool call|format)|output validation|unexpected ?(token|end|model)|unexpectedmodelbehavior|\bschema\b|unterminated|no (choices|content|candidates)|empty (response|completion)') then 'invalid_output'
        when regexp_matches(message, '(?i)not[-_ ]?found|does ?n.t exist|does not exist|no such|no module named|n[ãa]o (foi )?encontrad|n[ãa]o existe|\bunknown (\w+ )?(city|order|id|model|user|key|tool|customer|index)\b') or says_status(message, '404|410') then 'not_found'
        when regexp_matches(message, '(?i)validation|\binvalid\b|inv[áa]lid[oa]|bad ?request|unprocessable|missing ([0-9]+ )?(required|field|argument|parameter|value)|must (be|have|contain|not|match)|(is|field|are) required|obrigat[óo]ri|does not match|unsupported|not supported|unexpected keyword argument|maximum:? [0-9]|could not convert|incompatible') or says_status(message, '400|409|413|415|422') then 'validation'
        when observation_type = 'TOOL' then 'tool_exception'
        else 'other'
    end;

create or replace temp macro error_class(message, observation_type) as
    class_of_text(spoken_error(message) || ' ' || coalesce(regexp_extract(message, '[''"](?:code|type|status)[''"]: ?[''"]([A-Za-z_ ]+)[''"]', 1), ''), observation_type);
