#include "datasets/grading/phrases.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace moebench {
namespace {

bool is_alpha(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The answer without markup: \text{June 20} -> June 20, $5$ -> 5, spacing commands -> a space.
std::string without_markup(std::string_view answer) {
  static constexpr std::string_view kDropped[] = {
      "text",         "mbox",     "textbf", "textrm", "textit", "mathrm",
      "mathbf",       "mathit",   "mathsf", "left",   "right",  "displaystyle",
      "operatorname", "overline", "boxed",  "fbox",   "emph",   "mathtt",
      "texttt",       "textsf",   "hbox",   "bf",     "rm",     "textnormal"};
  std::string out;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const char c = answer[i];
    if (c == '\\') {
      std::size_t end = i + 1;
      while (end < answer.size() && is_alpha(answer[end])) ++end;
      const std::string_view name = answer.substr(i + 1, end - i - 1);
      if (name.empty()) {
        const char next = end < answer.size() ? answer[end] : ' ';
        if (next == '{' || next == '}' || next == '%' || next == '$' || next == '&' ||
            next == '#' || next == '_')
          out += next;
        else if (next == '\\')
          out += ';';
        else if (next != '!')
          out += ' ';
        i = end;
        continue;
      }
      if (name == "quad" || name == "qquad") {
        out += ' ';
      } else if (std::find(std::begin(kDropped), std::end(kDropped), name) == std::end(kDropped)) {
        out += '\\';
        out += name;
      }
      i = end - 1;
    } else if (c == '{' || c == '}' || c == '$') {
      continue;
    } else if (c == '~' || c == '\n' || c == '\t') {
      out += ' ';
    } else if (c == '*' && i + 1 < answer.size() && answer[i + 1] == '*') {
      ++i;
    } else {
      out += c;
    }
  }
  const auto begin = out.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  out = out.substr(begin, out.find_last_not_of(" ") - begin + 1);
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string letters_only(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_alpha(c)) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

void set_root(Tree& tree, Node node) {
  tree.nodes.push_back(std::move(node));
  tree.root = static_cast<std::int32_t>(tree.nodes.size() - 1);
}

/// A whole number below a million in words: forty-two, one hundred (and) twenty; -1 if it is none.
long number_in_words(std::string_view text) {
  static constexpr std::string_view kUnits[] = {
      "zero",     "one",     "two",     "three",     "four",     "five",    "six",
      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
  static constexpr std::string_view kTens[] = {"twenty", "thirty",  "forty",  "fifty",
                                               "sixty",  "seventy", "eighty", "ninety"};
  long total = 0, group = 0;
  int last = 0;  // 1 units, 2 tens, 3 hundred, 4 thousand, 5 "and"
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_alpha(text[i])) {
      if (text[i] != ' ' && text[i] != '-') return -1;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_alpha(text[end])) ++end;
    const std::string word = lower(text.substr(i, end - i));
    i = end;
    const auto unit = std::find(std::begin(kUnits), std::end(kUnits), word);
    const auto ten = std::find(std::begin(kTens), std::end(kTens), word);
    if (unit != std::end(kUnits)) {
      const long value = unit - std::begin(kUnits);
      if (last == 1 || (last == 2 && (value == 0 || value > 9))) return -1;
      group += value;
      last = 1;
    } else if (ten != std::end(kTens)) {
      if (last == 1 || last == 2) return -1;
      group += (ten - std::begin(kTens) + 2) * 10;
      last = 2;
    } else if (word == "hundred" && last == 1 && group < 10) {
      group *= 100;
      last = 3;
    } else if (word == "thousand" && (last == 1 || last == 2 || last == 3) && total == 0) {
      total = group * 1000;
      group = 0;
      last = 4;
    } else if (word == "and" && (last == 3 || last == 4)) {
      last = 5;
    } else {
      return -1;
    }
    any = true;
  }
  return any && last != 5 ? total + group : -1;
}

bool parse_words(std::string_view text, Tree& tree) {
  if (text.size() > 60 || text.find_first_of("0123456789\\=<>[](),") != std::string_view::npos)
    return false;
  Node node;
  if (const long number = number_in_words(text); number >= 0) {
    node.value = Rational(number);
    set_root(tree, std::move(node));
    return true;
  }
  std::string words = letters_only(text);
  if (words == "noon" || words == "midnight") {
    node.kind = NodeKind::kTime;
    node.flag = true;
    node.base = words == "noon" ? 12 * 60 : 0;
    set_root(tree, std::move(node));
    return true;
  }
  for (const std::string_view start : {"thereare", "thereis", "theequationhas", "ithas", "has"}) {
    if (words.starts_with(start)) {
      words.erase(0, start.size());
      break;
    }
  }
  for (const std::string_view end : {"exists", "exist"}) {
    if (words.ends_with(end)) {
      words.erase(words.size() - end.size());
      break;
    }
  }
  static constexpr std::string_view kNone[] = {
      "nosolution",    "nosolutions", "norealsolution",  "norealsolutions", "none",
      "emptyset",      "theemptyset", "nosuchvalues",    "novalues",        "nosuchx",
      "nosuchnumber",  "nosuchvalue", "norealnumbers",   "nosuchnumbers",   "novalue",
      "norealroots",   "noroots",     "norealvalues",    "norealvalue",     "nosuchintegers",
      "nosuchinteger", "nointegers",  "norealsolutionsx"};
  static constexpr std::string_view kAll[] = {
      "allrealnumbers",      "allreals",        "allrealx",        "allrealvalues",
      "anyrealnumber",       "everyrealnumber", "allrealnumbersx", "thesetofallrealnumbers",
      "thesetofrealnumbers", "realnumbers",     "thereals",        "xisanyrealnumber",
      "allrealvaluesofx"};
  if (std::find(std::begin(kNone), std::end(kNone), words) != std::end(kNone)) {
    node.kind = NodeKind::kNoSolution;
  } else if (std::find(std::begin(kAll), std::end(kAll), words) != std::end(kAll)) {
    node.kind = NodeKind::kAllReals;
  } else {
    return false;
  }
  set_root(tree, std::move(node));
  return true;
}

/// 9 a.m., 4:30 PM, 16:30 stays a ratio unless a.m. or p.m. is said.
bool parse_time(std::string_view text, Tree& tree) {
  std::size_t i = 0;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i == 0 || i > 2) return false;
  const int hours = std::atoi(std::string(text.substr(0, i)).c_str());
  int minutes = 0;
  if (i + 2 < text.size() && text[i] == ':' && is_digit(text[i + 1]) && is_digit(text[i + 2])) {
    minutes = std::atoi(std::string(text.substr(i + 1, 2)).c_str());
    i += 3;
  }
  std::string rest;
  for (const char c : text.substr(i)) {
    if (c != ' ' && c != '.')
      rest += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if ((rest != "am" && rest != "pm") || hours < 1 || hours > 12 || minutes > 59) return false;
  Node node;
  node.kind = NodeKind::kTime;
  node.flag = true;
  node.base = (hours % 12 + (rest == "pm" ? 12 : 0)) * 60 + minutes;
  set_root(tree, std::move(node));
  return true;
}

/// 152A_{11}, (1011)_2, 1011 base 2, base-2 words
bool parse_base(std::string_view text, Tree& tree) {
  static constexpr std::pair<std::string_view, int> kWords[] = {
      {"two", 2},   {"three", 3}, {"four", 4}, {"five", 5},    {"six", 6},     {"seven", 7},
      {"eight", 8}, {"nine", 9},  {"ten", 10}, {"eleven", 11}, {"twelve", 12}, {"sixteen", 16}};
  bool negative = false;
  if (text.starts_with("-")) {
    negative = true;
    text.remove_prefix(1);
  }
  const bool bracket = text.starts_with("(");
  if (bracket) text.remove_prefix(1);
  std::string digits;
  std::size_t i = 0;
  bool any_digit = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c) || (c >= 'A' && c <= 'Z') || c == '.') {
      digits += c;
      any_digit = any_digit || is_digit(c);
    } else if (c == ' ' && !digits.empty() && i + 1 < text.size() && is_digit(text[i + 1])) {
      continue;
    } else {
      break;
    }
  }
  if (!any_digit || digits.size() > 200) return false;
  std::string_view rest = text.substr(i);
  if (bracket) {
    if (!rest.starts_with(")")) return false;
    rest.remove_prefix(1);
  }
  while (rest.starts_with(" ")) rest.remove_prefix(1);
  if (rest.starts_with("_")) {
    rest.remove_prefix(1);
  } else if (rest.starts_with("base")) {
    rest.remove_prefix(4);
  } else if (rest.starts_with("(base") || rest.starts_with("in base")) {
    rest.remove_prefix(rest[0] == '(' ? 5 : 7);
  } else {
    return false;
  }
  while (rest.starts_with(" ") || rest.starts_with("-")) rest.remove_prefix(1);
  while (rest.ends_with(".") || rest.ends_with(" ") || rest.ends_with(")")) rest.remove_suffix(1);
  int base = 0;
  for (const auto& [word, value] : kWords) {
    if (lower(rest) == word) base = value;
  }
  if (base == 0 && !rest.empty() && rest.size() <= 2 &&
      std::all_of(rest.begin(), rest.end(), is_digit)) {
    base = std::atoi(std::string(rest).c_str());
  }
  if (base < 2 || base > 36 || base == 10) return false;  // base ten says nothing
  while (digits.ends_with(".")) digits.pop_back();
  Node node;
  node.kind = NodeKind::kBase;
  node.base = base;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  if (digits.starts_with(".")) digits.insert(0, "0");
  node.text = (negative ? "-" : "") + digits;
  set_root(tree, std::move(node));
  return true;
}

}  // namespace

bool parse_phrase(std::string_view answer, Tree& tree) {
  if (answer.size() > 160) return false;
  // Most answers are short mathematics: look further only where letters or a subscript stand.
  bool letters = false, subscript = false;
  int run = 0;
  for (const char c : answer) {
    run = is_alpha(c) ? run + 1 : 0;
    letters = letters || run >= 2 || c == '.';
    subscript = subscript || c == '_';
  }
  if (!letters && !subscript) return false;
  const std::string text = without_markup(answer);
  if (text.empty()) return false;
  if (is_digit(text[0]) && parse_time(text, tree)) return true;
  if ((subscript || text.find("base") != std::string::npos) && parse_base(text, tree)) return true;
  return letters && parse_words(text, tree);
}

std::string plain_words(std::string_view answer) {
  std::string out;
  const std::string text = without_markup(answer);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\'') continue;
    // "4 2" is not "42".
    if (c == ' ' &&
        !(i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1])))
      continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  while (out.ends_with('.') || out.ends_with(',')) out.pop_back();
  if (out.size() > 3 && is_digit(out[out.size() - 3])) {  // July 4th
    const std::string_view end = std::string_view(out).substr(out.size() - 2);
    if (end == "st" || end == "nd" || end == "rd" || end == "th") out.erase(out.size() - 2);
  }
  for (const std::string_view many :
       {"infinitelymanysolutions", "infinitesolutions", "aninfinitenumberofsolutions"}) {
    if (out == many) return "infinitelymany";
  }
  const std::string words = lower(text);
  for (const std::string_view article : {"the ", "an ", "a "}) {
    if (words.starts_with(article)) {
      out.erase(0, article.size() - 1);
      break;
    }
  }
  for (const std::string_view lead : {"finalansweris", "answeris", "finalanswer:", "answer:"}) {
    if (out.starts_with(lead) && out.size() > lead.size()) {
      out.erase(0, lead.size());
      break;
    }
  }
  if (out.size() > 2 && out.front() == '(' && out.back() == ')' &&
      out.find('(', 1) == std::string::npos && out.find(',') == std::string::npos) {
    out = out.substr(1, out.size() - 2);
  }
  return out;
}

std::vector<std::string> text_parts(std::string_view answer) {
  std::string text = without_markup(answer);
  for (const std::string_view joiner : {" and ", " or ", "&", ";"}) {
    for (std::size_t at; (at = text.find(joiner)) != std::string::npos;)
      text.replace(at, joiner.size(), ",");
  }
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = plain_words(std::string_view(text).substr(begin, end - begin));
    if (!part.empty()) parts.push_back(part);
    begin = end + 1;
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

UnitClass classify_unit(std::string_view unit) {
  if (unit.empty()) return UnitClass::kNone;
  const std::string words = letters_only(unit);
  if (words == "percent" || words == "percentage" || words == "pct" || words == "percents")
    return UnitClass::kPercent;
  if (words == "degree" || words == "degrees" || words == "deg") return UnitClass::kDegree;
  return UnitClass::kOther;
}

bool is_known_unit(std::string_view word) {
  static constexpr std::string_view kShort[] = {
      "cm",    "mm",   "km",   "ft",  "in",   "yd",    "mi",  "kg",   "mg",  "gm",    "lb",
      "lbs",   "oz",   "ml",   "mL",  "hr",   "hrs",   "min", "mins", "sec", "secs",  "ms",
      "mph",   "kph",  "kmh",  "sq",  "cu",   "deg",   "rad", "am",   "pm",  "units", "unit",
      "cents", "cent", "days", "day", "year", "years", "way", "ways", "men", "cm2",   "feet",
      "foot",  "inch", "mile", "Hz",  "kHz",  "kW",    "USD", "gal",  "pts", "apples"};
  return std::find(std::begin(kShort), std::end(kShort), word) != std::end(kShort);
}

bool is_math_word(std::string_view word) {
  static constexpr std::string_view kWords[] = {
      "sqrt",    "cbrt",   "pi",     "Pi",    "PI",    "inf",    "infinity", "Infinity", "infty",
      "oo",      "sin",    "cos",    "tan",   "cot",   "sec",    "csc",      "cis",      "arcsin",
      "arccos",  "arctan", "arccot", "asin",  "acos",  "atan",   "sinh",     "cosh",     "tanh",
      "exp",     "ln",     "log",    "gcd",   "max",   "min",    "floor",    "ceil",     "abs",
      "alpha",   "beta",   "gamma",  "delta", "theta", "lambda", "omega",    "sigma",    "phi",
      "epsilon", "mu",     "nu",     "rho",   "tau",   "psi",    "eta",      "zeta"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

bool units_conflict(std::string_view a, std::string_view b) {
  struct Unit {
    std::string_view names;  ///< between spaces
    char dimension;
    int size;
  };
  static constexpr Unit kUnits[] = {{" mm millimeter millimeters millimetre millimetres ", 'l', 1},
                                    {" cm centimeter centimeters centimetre centimetres ", 'l', 2},
                                    {" m meter meters metre metres ", 'l', 3},
                                    {" km kilometer kilometers kilometre kilometres ", 'l', 4},
                                    {" in inch inches ", 'l', 5},
                                    {" ft foot feet ", 'l', 6},
                                    {" yd yard yards ", 'l', 7},
                                    {" mi mile miles ", 'l', 8},
                                    {" mg milligram milligrams ", 'm', 1},
                                    {" g gm gram grams ", 'm', 2},
                                    {" kg kilogram kilograms ", 'm', 3},
                                    {" oz ounce ounces ", 'm', 4},
                                    {" lb lbs pound pounds ", 'm', 5},
                                    {" s sec secs second seconds ", 't', 1},
                                    {" min mins minute minutes ", 't', 2},
                                    {" h hr hrs hour hours ", 't', 3},
                                    {" day days ", 't', 4},
                                    {" week weeks ", 't', 5},
                                    {" month months ", 't', 6},
                                    {" year years ", 't', 7},
                                    {" cent cents ", 'c', 1},
                                    {" dollar dollars usd ", 'c', 2},
                                    {" degree degrees deg ", 'a', 1},
                                    {" radian radians rad ", 'a', 2},
                                    {" percent ", 'p', 1}};
  if (a.starts_with("mod ") && b.starts_with("mod ")) return a != b;
  const auto find = [&](std::string_view unit) -> const Unit* {
    const std::string word = " " + letters_only(unit) + " ";
    for (const Unit& candidate : kUnits) {
      if (candidate.names.find(word) != std::string_view::npos) return &candidate;
    }
    return nullptr;
  };
  const Unit* first = find(a);
  const Unit* second = find(b);
  return first && second && (first->dimension != second->dimension || first->size != second->size);
}

}  // namespace moebench
