-- Cuts long payloads; what is left of a JSON document is a text. Lengths are characters.
update incoming set
    input = case when length(input) > $most then left(input, $most) || ' [cut from ' || length(input) || ' characters]'
                 else input end,
    output = case when length(output) > $most then left(output, $most) || ' [cut from ' || length(output) || ' characters]'
                  else output end
where length(input) > $most or length(output) > $most
