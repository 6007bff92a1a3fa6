-- Scalar and aggregate macros that several models share. Temporary: nothing of them stays in the warehouse file.

-- Exact sums: adding decimals does not depend on the order of rows, so a full rebuild repeats every digit. USD.
create or replace temp macro exact_sum(amount) as sum(try_cast(amount as decimal(38, 12)))::double;
create or replace temp macro exact_mean(amount) as exact_sum(amount) / nullif(count(try_cast(amount as decimal(38, 12))), 0);

-- Milliseconds from one time to a later one; NULL when either is unknown or the clock ran backwards.
create or replace temp macro elapsed_ms(earlier, later) as
    case when later >= earlier then (epoch_us(later) - epoch_us(earlier)) / 1000.0 end::double;

-- A text that carries something: JSON's ways to say nothing count as nothing.
create or replace temp macro has_text(content) as
    content is not null and content not in ('', '""', 'null', '{}', '[]');

-- One name per model: lower case, no provider prefix, no region, no date, no '-latest'. Fine-tuned names stay whole.
create or replace temp macro canonical_model(model) as
    case when model ilike 'ft:%' then lower(model)
    else regexp_replace(regexp_replace(regexp_replace(lower(trim(model)),
        '^((models|openai|anthropic|azure|azure_ai|google|googleai|vertex_ai|gemini|bedrock|mistral|mistralai|deepseek|cohere|xai|x-ai|groq|openrouter|meta-llama|meta)/)+', ''),
        '^((us|eu|apac|au|jp|global)\.)?(anthropic|meta|mistral|cohere|amazon|deepseek)\.', ''),
        '((-v[0-9]+)?(:[0-9]+)?)?(-[0-9]{4}-[0-9]{2}-[0-9]{2}|-20[0-9]{6}|@[0-9]{8}|@latest|-latest)((-v[0-9]+)(:[0-9]+)?)?$', '')
    end;

-- Who made the model, by its canonical name; the names are those of the genai-prices price list.
create or replace temp macro provider_of(model) as
    case
        when regexp_matches(model, '^(ft:)?(gpt|chatgpt|o[0-9]|text-embedding|davinci|babbage|whisper|tts|dall-e|codex|computer-use|omni-)') then 'openai'
        when regexp_matches(model, '^(ft:)?claude') then 'anthropic'
        when regexp_matches(model, '^(ft:)?(gemini|gemma|palm|text-bison|chat-bison|codechat|imagen|veo|learnlm)') then 'google'
        when regexp_matches(model, '^(ft:)?(mistral|open-mistral|mixtral|codestral|ministral|magistral|pixtral|devstral|open-mixtral)') then 'mistral'
        when regexp_matches(model, '^deepseek') then 'deepseek'
        when regexp_matches(model, '^(command|embed-|rerank|c4ai|aya)') then 'cohere'
        when regexp_matches(model, '^grok') then 'x-ai'
        when regexp_matches(model, '^(ft:)?(llama|meta-llama)') then 'meta'
        when regexp_matches(model, '^(nova|titan|amazon)') then 'aws'
        when regexp_matches(model, '^(ft:)?(qwen|qwq)') then 'alibaba'
        when regexp_matches(model, '^voyage') then 'voyageai'
        when regexp_matches(model, '^(sonar|pplx)') then 'perplexity'
        when regexp_matches(model, '^(kimi|moonshot)') then 'moonshotai'
    end;
