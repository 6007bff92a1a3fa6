-- grain: one row per word that says nothing about a subject
-- key: word (lower case, without accents)
-- source: hand-picked
-- Portuguese, English and Spanish function words, greetings, thanks, requests, and the fragments of contractions.
select distinct unnest(string_split_regex(trim(
-- English
'a about above after again against all also always am an and any are aren around as ask at back be because been before being
below between both but by came can cannot cant come could couldn did didn do does doesn doing don done down during each either
else enough ever every few first for from further gave get gets getting give given go goes going gone good got had hadn has hasn
have haven having he her here hers him his how however if in into is isn it its itself just keep kept know last least less let
like ll long look made make makes making many may maybe me mean might mine more most much must my myself need needs never new
next no none nor not nothing now of off often on once one only or other others our ours out over own per possible put quite rather
re really right said same saw say says see seem seems seen she should shouldn show since so some someone something still such
sure take taken takes tell than that the their theirs them then there these they thing things think this those though three
through till times to together too took toward tried tries try trying twice two under until up upon us use used using ve very
want wanted wants was wasn way we well went were weren what whatever when where whether which while who whose why will with
within without won would wouldn yes yet you your yours yourself able actually already another anyone anything away best better
both bit does else everything exactly example explain find found help helped helping idea instead kind lot mind minute minutes
moment day days week weeks month months hour hours today tomorrow yesterday weekend soon later ago supposed work works working
happen happens happened '
-- English: greetings, thanks, politeness, complaints about the talk itself
|| 'hi hello hey dear good morning afternoon evening night greetings regards team thank thanks thankful please kindly sorry excuse
pardon welcome cheers bye goodbye ok okay great perfect wonderful awesome nice fine cool hm hmm oh ah quick question questions
bother appreciate advance urgent asap anyway '
-- Portuguese
|| 'a ao aos as ate com como contra da das de dela dele deles delas depois desde dessa desse desta deste disso disto do dos e ela elas
ele eles em entre era eram essa essas esse esses esta estao estar estas estava estavam este estes esteve estive estou eu foi fomos
for foram fosse ha isso isto ja la lhe lhes lo mais mas me mesma mesmo mesmas mesmos meu meus minha minhas muita muitas muito muitos
na nas nao nem nenhum nenhuma nessa nesse nesta neste ninguem no nos nossa nossas nosso nossos num numa o onde os ou outra outras
outro outros para pela pelas pelo pelos per pode podem podes podia posso poderia por porque pois pouco pra pro qual quais
qualquer quando quanta quantas quanto quantos que quem se seja sem sempre sendo ser sera seria seu seus si sido sim so sob sobre
somos sou sua suas tal tambem tao tem tens ter tenho tenha tentar tentei tento teu teus teve ti tinha tive toda todas todo todos
tu tua tuas tudo um uma umas uns vai vao varias varios vem vez vezes voce voces vos vou agora ai ainda alem algo alguem algum
alguma algumas alguns ali ambos antes apenas apos aqui aquela aquelas aquele aqueles aquilo assim atraves bem cada certeza certo
coisa coisas consigo consegue conseguem conseguir consegui da dar deu devia deve devem dever diz dizem dizer disse dois duas duvida
durante embora enquanto entao exemplo existe falta faltam faz fazem fazer feito fez fica ficar fico ficou forma gostava gostaria
ir logo longe maneira melhor menos momento nada necessario nunca onde parece parte passo passos perto preciso precisa precisava
precisamos preciso primeiro pronto proprio qualquer quase quer queremos quero queria querem realmente saber sabe sei seguinte
segundo serve site talvez tanto tarde tempo tentativa tres ultima ultimo usar uso usando via vamos volta dia dias hoje
amanha ontem semana semanas mes meses hora horas ano anos estao possivel sao explicar '
-- Portuguese: greetings, thanks, politeness
|| 'oi ola alo bom boa boas dia tarde noite caro cara senhor senhora obrigado obrigada agradeco agradecido agradecida favor desculpe
desculpa desculpem incomodar ajuda ajudar ajudem podem otimo otima perfeito maravilha excelente cumprimentos abraco atenciosamente
tchau adeus espera aguardo atencao urgente duvidas pergunta '
-- Spanish, the words that the two above lack
|| 'al ante aunque bajo cual cuando cuanto del desde donde dos el ella ellos en entonces era esa ese eso esta estan estas este esto estos
estoy fue fueron gracias ha hace hacer hacia hasta hay hola las le les los mas mi mis mucho muy nada ni nos nosotros otra otro
pero por porque puede puedo pueden quiere quiero sea ser sin sobre solo su sus tambien te tengo tiene tienen todo todos tu tus un
una unas unos usted ustedes ya yo buenas buenos dias tardes noches favor necesito ayuda ayudar como estaba soy '
-- what payloads say about themselves
|| 'user assistant system role content text type message messages null true false http https www com html json name value data '
), '\s+')) as word
