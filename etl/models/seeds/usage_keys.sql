-- grain: one row per spelling of a usage key, in lower case and without 'gen_ai.usage.', 'llm.token_count.', 'details.'
-- key: usage_key
-- kind: what is counted. input, output: the base counts; total: their sum; the others are parts of one side
-- part: spellings of one kind and part name the same number (the greatest counts); different parts add up
-- is_inside: the base count already holds this part, whatever the total says (OpenAI's and OpenTelemetry's own spellings)
-- source: Langfuse's default model prices and SDK integrations, LangChain, pydantic-ai, OpenInference, OpenTelemetry GenAI
select * from (values
    ('input', 'input', '', false), ('input_tokens', 'input', '', false), ('prompt_tokens', 'input', '', false),
    ('prompt', 'input', '', false), ('prompttokens', 'input', '', false), ('inputtokens', 'input', '', false),
    ('prompt_token_count', 'input', '', false), ('prompttokencount', 'input', '', false),
    ('output', 'output', '', false), ('output_tokens', 'output', '', false), ('completion_tokens', 'output', '', false),
    ('completion', 'output', '', false), ('completiontokens', 'output', '', false), ('outputtokens', 'output', '', false),
    ('candidates_token_count', 'output', '', false), ('candidatestokencount', 'output', '', false),
    ('total', 'total', '', false), ('total_tokens', 'total', '', false), ('totaltokens', 'total', '', false),
    ('total_token_count', 'total', '', false), ('totaltokencount', 'total', '', false),
    -- read from a cache
    ('input_cached_tokens', 'cache_read', '', false), ('input_cache_read', 'cache_read', '', false),
    ('input_cached', 'cache_read', '', false), ('cache_read_input_tokens', 'cache_read', '', false),
    ('input_cache_read_tokens', 'cache_read', '', false), ('cachereadinputtokens', 'cache_read', '', false),
    ('cached_content_token_count', 'cache_read', '', true), ('cachedcontenttokencount', 'cache_read', '', true),
    ('cached_tokens', 'cache_read', '', true), ('cache_read_tokens', 'cache_read', '', true),
    ('cache_read.input_tokens', 'cache_read', '', true), ('cache_read', 'cache_read', '', true),
    ('cached_input_tokens', 'cache_read', '', true), ('prompt_tokens_details.cached_tokens', 'cache_read', '', true),
    ('input_tokens_details.cached_tokens', 'cache_read', '', true), ('prompt_details.cache_read', 'cache_read', '', true),
    ('prompt_cache_hit_tokens', 'cache_read', '', true),
    -- written to a cache
    ('input_cache_creation', 'cache_creation', '', false), ('cache_creation_input_tokens', 'cache_creation', '', false),
    ('input_cache_write_tokens', 'cache_creation', '', false), ('input_cache_write', 'cache_creation', '', false),
    ('input_cache_creation_tokens', 'cache_creation', '', false), ('cachecreationinputtokens', 'cache_creation', '', false),
    ('input_cache_creation_5m', 'cache_creation', '5m', false), ('input_cache_creation_1h', 'cache_creation', '1h', false),
    ('cache_creation.ephemeral_5m_input_tokens', 'cache_creation', '5m', true),
    ('cache_creation.ephemeral_1h_input_tokens', 'cache_creation', '1h', true),
    ('cache_write_tokens', 'cache_creation', '', true), ('cache_creation.input_tokens', 'cache_creation', '', true),
    ('cache_creation_tokens', 'cache_creation', '', true), ('prompt_details.cache_write', 'cache_creation', '', true),
    ('prompt_tokens_details.cache_write_tokens', 'cache_creation', '', true), ('cache_write', 'cache_creation', '', true),
    -- reasoning
    ('output_reasoning_tokens', 'reasoning', '', false), ('output_reasoning', 'reasoning', '', false),
    ('thoughts_token_count', 'reasoning', '', false), ('thoughtstokencount', 'reasoning', '', false),
    ('reasoning_tokens', 'reasoning', '', true), ('reasoning.output_tokens', 'reasoning', '', true),
    ('reasoning', 'reasoning', '', true), ('thinking_tokens', 'reasoning', '', true), ('thoughts_tokens', 'reasoning', '', true),
    ('reasoningtokens', 'reasoning', '', true), ('completion_tokens_details.reasoning_tokens', 'reasoning', '', true),
    ('output_tokens_details.reasoning_tokens', 'reasoning', '', true), ('completion_details.reasoning', 'reasoning', '', true),
    -- audio
    ('input_audio_tokens', 'input_audio', '', false), ('input_audio', 'input_audio', '', false),
    ('prompt_tokens_details.audio_tokens', 'input_audio', '', true), ('prompt_details.audio', 'input_audio', '', true),
    ('output_audio_tokens', 'output_audio', '', false), ('output_audio', 'output_audio', '', false),
    ('completion_tokens_details.audio_tokens', 'output_audio', '', true), ('completion_details.audio', 'output_audio', '', true),
    -- parts of the output that only OpenAI counts apart
    ('completion_tokens_details.accepted_prediction_tokens', 'output_other', 'accepted', true),
    ('completion_tokens_details.rejected_prediction_tokens', 'output_other', 'rejected', true),
    ('accepted_prediction_tokens', 'output_other', 'accepted', true),
    ('rejected_prediction_tokens', 'output_other', 'rejected', true),
    ('input_tokens_details', 'ignored', '', true), ('output_tokens_details', 'ignored', '', true),
    ('requests', 'ignored', '', true)
) seed (usage_key, kind, part, is_inside)
