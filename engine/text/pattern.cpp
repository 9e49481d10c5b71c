#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/text/pattern.h"

#include <pcre2.h>

#include <cctype>

#include "engine/base/error.h"

namespace moebench::text {

namespace {

constexpr std::size_t kMaxPatternBytes = 64 * 1024;
constexpr std::uint32_t kMatchLimit = 5'000'000;  // backtracks of one match
constexpr std::uint32_t kDepthLimit = 100'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;
constexpr std::size_t kJitStackBytes = 8 * 1024 * 1024;

[[noreturn]] void refuse(std::string_view pattern, const std::string& why) {
  throw Error(ErrorCode::kBadModel, "tokenizer: regular expression '" +
                                        std::string(pattern.substr(0, 200)) + "': " + why);
}

struct MatchState {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(64 * 1024, kJitStackBytes, nullptr);
  MatchState() {
    if (!context || !data || !stack) throw std::bad_alloc();
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, kDepthLimit);
    pcre2_set_heap_limit(context, kHeapLimitKib);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  MatchState(const MatchState&) = delete;
  MatchState& operator=(const MatchState&) = delete;
  ~MatchState() {
    pcre2_jit_stack_free(stack);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

}  // namespace

std::string translate_oniguruma(std::string_view source) {
  std::string out;
  int class_depth = 0;
  bool class_start = false;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const bool in_class = class_depth > 0;
    if (c == '\\') {
      if (i + 1 >= source.size()) refuse(source, "ends in a backslash");
      const char next = source[++i];
      switch (next) {
        // PCRE2's \s holds U+180E, which is no White_Space since Unicode 6.3.
        case 's':
          out += "\\p{White_Space}";
          break;
        case 'S':
          out += "\\P{White_Space}";
          break;
        case 'w':
          out += in_class ? "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
                          : "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]";
          break;
        case 'W':
          if (in_class) refuse(source, "\\W inside a class is not supported");
          out += "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]";
          break;
        case 'v':
          out += "\\x0B";
          break;  // PCRE2's \v is a class
        case 'u': {
          if (i + 4 >= source.size()) refuse(source, "\\u wants four hex digits");
          out += "\\x{" + std::string(source.substr(i + 1, 4)) + "}";
          i += 4;
          break;
        }
        case 'p':
        case 'P': {
          const std::size_t close = source.find('}', i);
          if (i + 1 >= source.size() || source[i + 1] != '{' || close == std::string_view::npos)
            refuse(source, "\\p wants a property in braces");
          std::string_view name = source.substr(i + 2, close - i - 2);
          const bool negated = (next == 'P') != (!name.empty() && name.front() == '^');
          if (!name.empty() && name.front() == '^') name.remove_prefix(1);
          // A bare script name means the Script property in Oniguruma, and Script_Extensions in
          // PCRE2; general categories have at most two letters.
          const bool category = name.size() <= 2;
          std::string property(name);
          if (name == "Letter")
            property = "L";
          else if (name == "Number")
            property = "N";
          else if (name == "Punctuation")
            property = "P";
          else if (name == "Symbol")
            property = "S";
          else if (name == "Mark")
            property = "M";
          else if (!category && name != "White_Space" && name != "Alphabetic" && name != "Any" &&
                   name.find('=') == std::string_view::npos)
            property = "sc:" + property;
          out += std::string(negated ? "\\P{" : "\\p{") + property + "}";
          i = close;
          break;
        }
        default: {
          const auto byte = static_cast<unsigned char>(next);
          if (byte < 0x80 && std::isalpha(byte) &&
              std::string_view("nrtfaedDbBAzx").find(next) == std::string_view::npos)
            refuse(source, std::string("\\") + next + " is not supported");
          if (byte < 0x80) out += '\\';  // an escaped character above ASCII stands for itself
          out += next;
        }
      }
      class_start = false;
      continue;
    }
    if (in_class) {
      if (c == '[') {
        if (source.substr(i, 2) == "[:") {
          const std::size_t close = source.find(":]", i);
          if (close == std::string_view::npos) refuse(source, "unclosed [: in a class");
          out.append(source.substr(i, close + 2 - i));
          i = close + 1;
          class_start = false;
          continue;
        }
        refuse(source, "a class inside a class is not supported");
      }
      if (c == '&' && source.substr(i, 2) == "&&")
        refuse(source, "the intersection && of classes is not supported");
      if (c == ']' && !class_start) --class_depth;
      out += c;
      if (!(class_start && c == '^')) class_start = false;
      continue;
    }
    if (c == '[') {
      ++class_depth;
      class_start = true;
    } else if (c == '}' && i + 1 < source.size() && source[i + 1] == '+') {
      // Oniguruma reads {m,n}+ as a greedy repeat of the repeat, PCRE2 as possessive.
      refuse(source, "{..}+ is not supported");
    } else if (c == '(' && source.substr(i, 3) == "(?m") {
      refuse(source, "the option (?m) is not supported");
    }
    out += c;
  }
  return out;
}

struct Pattern::Compiled {
  std::string source;
  pcre2_code* code = nullptr;
  bool jit = false;
  bool literal = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
};

Pattern::Pattern(std::string_view oniguruma_source) {
  if (oniguruma_source.size() > kMaxPatternBytes) refuse(oniguruma_source, "longer than 64 KiB");
  auto compiled = std::make_shared<Compiled>();
  compiled->source = oniguruma_source;
  const std::string translated = translate_oniguruma(oniguruma_source);
  int code = 0;
  PCRE2_SIZE where = 0;
  struct ContextDeleter {
    void operator()(pcre2_compile_context* c) const { pcre2_compile_context_free(c); }
  };
  const std::unique_ptr<pcre2_compile_context, ContextDeleter> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  // Ruby's ^ and $ are always those of a line.
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                 &code, &where, context.get());
  if (!compiled->code) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(code, message, sizeof message);
    refuse(oniguruma_source, std::string(reinterpret_cast<const char*>(message)) + " (at byte " +
                                 std::to_string(where) + " of its translation)");
  }
  compiled->jit = pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE) == 0;
  compiled_ = std::move(compiled);
}

Pattern Pattern::literal(std::string_view text) {
  Pattern pattern("x");
  auto compiled = std::make_shared<Compiled>();
  compiled->source = text;
  compiled->literal = true;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

const std::string& Pattern::source() const noexcept { return compiled_->source; }

void Pattern::find_all(std::string_view text, std::size_t offset,
                       std::vector<Span>& matches) const {
  const Compiled& compiled = *compiled_;
  if (compiled.literal) {
    if (compiled.source.empty()) return;
    for (std::size_t at = 0; (at = text.find(compiled.source, at)) != std::string_view::npos;
         at += compiled.source.size())
      matches.push_back({offset + at, offset + at + compiled.source.size()});
    return;
  }
  thread_local MatchState state;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* found = pcre2_get_ovector_pointer(state.data);
  std::size_t at = 0;
  while (at <= text.size()) {
    const int rc = compiled.jit ? pcre2_jit_match(compiled.code, subject, text.size(), at,
                                                  PCRE2_NO_UTF_CHECK, state.data, state.context)
                                : pcre2_match(compiled.code, subject, text.size(), at,
                                              PCRE2_NO_UTF_CHECK, state.data, state.context);
    if (rc == PCRE2_ERROR_NOMATCH) return;
    if (rc < 0) {
      PCRE2_UCHAR message[256] = {};
      pcre2_get_error_message(rc, message, sizeof message);
      refuse(compiled.source, "gives up on a text of " + std::to_string(text.size()) +
                                  " bytes: " + reinterpret_cast<const char*>(message));
    }
    const std::size_t begin = found[0], end = found[1];
    matches.push_back({offset + begin, offset + end});
    at = end;
    if (begin == end) {  // an empty match: go on at the next character
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
  }
}

}  // namespace moebench::text
