#include "engine/text/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"

namespace moebench {
namespace {

using nlohmann::ordered_json;

std::string render(std::string_view source,
                   const ordered_json& variables = ordered_json::object()) {
  return ChatTemplate(source).render(variables, 1'753'000'000);
}

std::string refusal(std::string_view source,
                    const ordered_json& variables = ordered_json::object()) {
  try {
    return "rendered: " + render(source, variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadModel);
    return error.what();
  }
}

struct Case {
  const char* source;
  const char* want;
};

/// What jinja2 3.1 gives for the same with trim_blocks and lstrip_blocks.
void expect_all(std::initializer_list<Case> cases) {
  const ordered_json variables = {{"n", 7},
                                  {"s", "  Über straße  "},
                                  {"list", {3, 1, 2}},
                                  {"d", {{"b", 1}, {"a", {true, nullptr, 1.5, "x\n\"y\""}}}},
                                  {"messages",
                                   {{{"role", "system"}, {"content", "S"}},
                                    {{"role", "user"}, {"content", "U"}},
                                    {{"role", "assistant"}, {"content", "A"}}}}};
  for (const Case& c : cases) EXPECT_EQ(render(c.source, variables), c.want) << c.source;
}

TEST(ChatTemplate, TrimsWhiteSpaceAsTrimBlocksAndLstripBlocksDo) {
  expect_all({
      {"a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
      {"a  {%- if true -%}  b  {%- endif %} c", "ab c"},
      {"  {{ n }}\n  {{- n }} ", "  77 "},
      {"x {%+ if true %}y{% endif +%}\nz", "x y\nz"},
      {"  {# note #}\n{#- more -#}  q", "q"},
      {"{% raw %} {{ n }} {% endraw %}!", " {{ n }} !"},
      {"a\r\nb\r\n", "a\nb"},
      {"x  {% if true %} y{% endif %}", "x   y"},
  });
}

TEST(ChatTemplate, EvaluatesOperatorsWithPythonsPrecedence) {
  expect_all({
      {"{{ 1 + 2 * 3 - 4 // 3 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }}",
       "6 -4 2 3.5 1024"},
      {"{{ 'a' ~ 1 ~ none ~ true }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "a1NoneTrue abab [1, 2]"},
      {"{{ 1 < 2 < 3 }} {{ 3 > 2 == 2 }} {{ not 1 == 2 }} {{ 1 in list }} {{ 'z' not in 'xy' }}",
       "True True True True True"},
      {"{{ 0 or 'x' }} {{ 1 and '' }}| {{ 'a' if n > 5 else 'b' }} {{ 'a' if n > 8 }}|", "x | a |"},
      {"{{ 1.0 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 10 / 5 }}",
       "1.0 1e+20 0.30000000000000004 1e-05 2.0"},
      {"{{ -2|abs }} {{ (1, 2) }} {{ (1,) }} {{ {'k': [none, 'it\\'s']} }}",
       "2 (1, 2) (1,) {'k': [None, \"it's\"]}"},
  });
}

TEST(ChatTemplate, SlicesAndLooksUpAsPythonDoes) {
  expect_all({
      {"{{ list[-1] }} {{ list[1:] }} {{ list[::-1] }} {{ 'Straße'[4:] }} {{ 'äöü'[-2] }} {{ "
       "list[5:] }}",
       "2 [1, 2] [2, 1, 3] ße ö []"},
      {"{{ d.b }} {{ d['a'][3] }} {{ d.zzz is defined }} {{ d.get('q', 5) }} {{ messages[0].role "
       "}}",
       "1 x\n\"y\" False 5 system"},
      {"{% for k, v in d.items() %}{{ k }};{% endfor %} {{ d.keys()|list }} {{ 'b' in d }}",
       "b;a; ['b', 'a'] True"},
      {"[{{ missing }}] {{ missing|default('x') }} {{ ''|default('y', true) }} {{ missing is "
       "undefined }}",
       "[] x y True"},
  });
}

TEST(ChatTemplate, KnowsStringMethods) {
  expect_all({
      {"{{ s.strip() }}|{{ s|trim|upper }}|{{ 'xxaxx'.strip('x') }}|{{ 'a-b-c'.split('-', 1) }}|{{ "
       "' a  b '.split() }}",
       "Über straße|ÜBER STRAßE|a|['a', 'b-c']|['a', 'b']"},
      {"{{ 'a,b,c'.rsplit(',', 1) }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} "
       "{{ 'aXa'.replace('a', 'b', 1) }}",
       "['a,b', 'c'] True True bXa"},
      {"{{ '</think>x'.split('</think>')[-1].lstrip('\\n') }} {{ 'a\\nb'.splitlines() }} {{ 'hello "
       "world'.title() }} {{ 'ab'.find('b') }}",
       "x ['a', 'b'] Hello World 1"},
  });
}

TEST(ChatTemplate, KnowsFiltersAndTests) {
  expect_all({
      {"{{ d|tojson }}", "{\"b\": 1, \"a\": [true, null, 1.5, \"x\\n\\\"y\\\"\"]}"},
      {"{{ {'a': [1], 'e': {}}|tojson(indent=2) }}", "{\n  \"a\": [\n    1\n  ],\n  \"e\": {}\n}"},
      {"{{ 'é😀'|tojson }} {{ 'é😀'|tojson(ensure_ascii=true) }}",
       "\"é😀\" \"\\u00e9\\ud83d\\ude00\""},
      {"{{ list|sort|join(',') }} {{ list|first }} {{ list|last }} {{ list|length }} {{ list|sum "
       "}} {{ list|max }} {{ list|reverse|list }}",
       "1,2,3 3 2 3 6 3 [2, 1, 3]"},
      {"{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|join }} {{ "
       "messages|rejectattr('role', 'in', ['user', 'system'])|list|length }}",
       "U 1"},
      {"{{ ['a', 'b']|map('upper')|list }} {{ [1, 0, 2]|select|list }} {{ "
       "none|selectattr('x')|list }}",
       "['A', 'B'] [1, 2] []"},
      {"{{ n is odd }} {{ n is divisibleby 7 }} {{ s is string }} {{ d is mapping }} {{ list is "
       "iterable }} {{ none is none }} {{ n is not number }}",
       "True True True True True True False"},
      {"{{ 'a\\nb'|indent(2) }} {{ '42'|int + 1 }} {{ 'x'|int(5) }} {{ d|items|list|length }} {{ "
       "{'b': 1, 'a': 2}|dictsort }}",
       "a\n  b 43 5 2 [('a', 2), ('b', 1)]"},
  });
}

TEST(ChatTemplate, ScopesNamesAsJinjaDoes) {
  expect_all({
      {"{% set x = 1 %}{% for i in list %}{% set x = i %}{% endfor %}{{ x }}", "1"},
      {"{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ "
       "ns.x }}",
       "6"},
      {"{% if true %}{% set x = 2 %}{% endif %}{{ x }} {% set a, b = [1, 2] %}{{ b }}", "2 2"},
      {"{% set x %}a{{ n }}b{% endset %}{{ x|upper }} {% filter upper %}q{% endfilter %}", "A7B Q"},
      {"{% macro tag(name, end='') %}<{{ end }}{{ name }}>{% endmacro %}{{ tag('a') }}{{ tag('a', "
       "end='/') }}",
       "<a></a>"},
  });
}

TEST(ChatTemplate, LoopsKnowWhereTheyAre) {
  expect_all({
      {"{% for m in messages %}{{ loop.index }}{{ loop.first }}{{ loop.last }} {% endfor %}",
       "1TrueFalse 2FalseFalse 3FalseTrue "},
      {"{% for m in messages if m.role != 'system' %}{{ loop.index0 }}/{{ loop.length }}{{ "
       "loop.revindex }}{{ loop.nextitem.role if not loop.last }} {% else %}none{% endfor %}",
       "0/22assistant 1/21 "},
      {"{% for x in [] %}{% else %}none{% endfor %}{% for i in range(5) %}{% if i == 1 %}{% "
       "continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
       "none02"},
      {"{% for i in range(3) %}{{ loop.cycle('a', 'b') }}{% endfor %}{% generation %}g{% "
       "endgeneration %}",
       "abag"},
  });
}

TEST(ChatTemplate, TellsTheDateItWasGiven) {
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y') }}"), "20 Jul 2025");
  EXPECT_EQ(render("{{ strftime_now is defined }}"), "True");
}

TEST(ChatTemplate, RendersAConversationWithTheTokenizersTokens) {
  GgufTokenizerData data;
  data.model = "gpt2";
  data.pre = "gpt-2";
  data.tokens = {"a", "b", "ab", "<s>", "</s>"};
  data.token_types = {1, 1, 1, 3, 3};
  data.merges = {"a b"};
  data.bos_id = 3;
  data.eos_id = 4;
  const Tokenizer tokenizer = Tokenizer::from_gguf(data);
  const ChatTemplate chat(
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor "
      "%}"
      "{% if add_generation_prompt %}[assistant]{% endif %}"
      "{% if enable_thinking is defined %}{{ enable_thinking }}{% endif %}{{ tools is none }}");
  const std::vector<TemplateMessage> messages = {{"user", "ab"}};
  EXPECT_EQ(chat.render(tokenizer, messages), "<s>[user]ab</s>[assistant]True");
  EXPECT_EQ(
      chat.render(tokenizer, messages, {.add_generation_prompt = false, .enable_thinking = false}),
      "<s>[user]ab</s>FalseTrue");
}

TEST(ChatTemplate, SaysTheLineOfWhatIsWrong) {
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(refusal("a\nb\n{% if x %}"), "endif");
  has(refusal("a\n{{ 1 + }}"), "line 2");
  has(refusal("{% include 'x' %}"), "'include' is not supported");
  has(refusal("\n\n{{ 'x'|frobnicate }}"), "line 3: the filter 'frobnicate'");
  has(refusal("{{ 1 is frob }}"), "the test 'frob'");
  has(refusal("\n{{ x.y }}"), "line 2: 'x' is undefined");
  has(refusal("{{ f(1) }}"), "'f' is undefined");
  has(refusal("{{ raise_exception('roles must alternate') }}"), "roles must alternate");
  has(refusal("{{ 'a' + 1 }}"), "'+'");
  has(refusal("{% set x.y = 1 %}", {{"x", {{"y", 2}}}}), "no namespace");
  has(refusal("{{ f(*a) }}"), "*arguments");
  has(refusal("{{ 'abc"), "not closed");
  has(refusal("{{ [1].append(2) }}"), "append");
  has(refusal("{% for x in [1] recursive %}{% endfor %}"), "recursive");
}

TEST(ChatTemplate, EndsWhateverTheTemplateTries) {
  const std::string many(5000, '(');
  for (const std::string& source : {
           std::string(
               "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"),
           std::string("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x "
                       "~ ns.x %}{% endfor %}"),
           std::string("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x "
                       "+ ns.x %}{% endfor %}"),
           std::string("{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = "
                       "[ns.x, ns.x] %}{% endfor %}"),
           std::string("{% set ns = namespace() %}{% set ns.me = ns %}"),
           std::string("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
           std::string("{{ 'x' * 999999999 }}"),
           std::string("{{ range(0, 999999999) }}"),
           std::string("{{ 9223372036854775807 + 1 }}"),
           std::string("{{ (0 - 9223372036854775807 - 1) // -1 }}"),
           std::string("{{ 2 ** 64 }}"),
           "{{ " + many + "1 }}",
           "{{ " + std::string(5000, '-') + "1 }}",
           "{{ 1" + std::string(3000, '|') + " }}",
       })
    EXPECT_NE(refusal(source).find("chat template, line"), std::string::npos)
        << source.substr(0, 100) << " -> " << refusal(source).substr(0, 100);
}

}  // namespace
}  // namespace moebench
