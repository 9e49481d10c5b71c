#pragma once

#include <string_view>
#include <utility>

/// The many ways to write one sign: what the tokeniser knows, as data.
namespace moebench::spellings {

/// What a sign outside ASCII means: a command's name, or one character.
struct Sign {
  std::string_view bytes, meaning;
};
inline constexpr Sign kSigns[] = {
    {"−", "-"},        {"–", "-"},        {"—", "-"},      {"×", "*"},      {"·", "*"},
    {"⋅", "*"},        {"∗", "*"},        {"÷", "/"},      {"⁄", "/"},      {"∕", "/"},
    {"√", "sqrt"},     {"π", "pi"},       {"∞", "infty"},  {"°", "circ"},   {"º", "circ"},
    {"≤", "le"},       {"⩽", "le"},       {"≥", "ge"},     {"⩾", "ge"},     {"≠", "ne"},
    {"±", "pm"},       {"∓", "mp"},       {"∪", "cup"},    {"∩", "cap"},    {"∈", "in"},
    {"∅", "emptyset"}, {"ℝ", "reals"},    {"≈", "approx"}, {"…", "ldots"},  {"⋯", "ldots"},
    {"⟨", "langle"},   {"⟩", "rangle"},   {"θ", "theta"},  {"α", "alpha"},  {"β", "beta"},
    {"γ", "gamma"},    {"δ", "delta"},    {"λ", "lambda"}, {"μ", "mu"},     {"φ", "phi"},
    {"ω", "omega"},    {"σ", "sigma"},    {"⌊", "lfloor"}, {"⌋", "rfloor"}, {"⌈", "lceil"},
    {"⌉", "rceil"},    {"∠", "angle"},    {"€", "dollar"}, {"£", "dollar"}, {"¥", "dollar"},
    {"′", "'"},        {"%", "%"},        {"，", ","},     {"（", "("},     {"）", ")"},
    {"：", ":"},       {"∖", "setminus"}, {"∧", "wedge"},  {"∨", "vee"},    {"∛", "cbrt"},
    {"₹", "dollar"},
};
inline constexpr Sign kSpaces[] = {{"\u00a0", ""}, {"\u2009", ""}, {"\u202f", ""}, {"\u2003", ""},
                                   {"\u2002", ""}, {"\u200b", ""}, {"\u2061", ""}, {"\u2062", ""}};
struct Exponent {
  std::string_view bytes;
  std::string_view digit;
  bool raised;
};
inline constexpr Exponent kExponents[] = {
    {"⁰", "0", true},  {"¹", "1", true},  {"²", "2", true},  {"³", "3", true},  {"⁴", "4", true},
    {"⁵", "5", true},  {"⁶", "6", true},  {"⁷", "7", true},  {"⁸", "8", true},  {"⁹", "9", true},
    {"⁻", "-", true},  {"₀", "0", false}, {"₁", "1", false}, {"₂", "2", false}, {"₃", "3", false},
    {"₄", "4", false}, {"₅", "5", false}, {"₆", "6", false}, {"₇", "7", false}, {"₈", "8", false},
    {"₉", "9", false}};
struct Vulgar {
  std::string_view bytes, numerator, denominator;
};
inline constexpr Vulgar kVulgar[] = {
    {"½", "1", "2"}, {"⅓", "1", "3"}, {"⅔", "2", "3"}, {"¼", "1", "4"}, {"¾", "3", "4"},
    {"⅕", "1", "5"}, {"⅖", "2", "5"}, {"⅗", "3", "5"}, {"⅘", "4", "5"}, {"⅙", "1", "6"},
    {"⅚", "5", "6"}, {"⅛", "1", "8"}, {"⅜", "3", "8"}, {"⅝", "5", "8"}, {"⅞", "7", "8"}};

/// Commands that leave no trace (sizes, styles) or a space.
inline constexpr std::string_view kDropped[] = {
    "left",         "right",      "big",         "Big",        "bigg",     "Bigg",     "bigl",
    "bigr",         "Bigl",       "Bigr",        "biggl",      "biggr",    "Biggl",    "Biggr",
    "displaystyle", "textstyle",  "scriptstyle", "limits",     "nolimits", "bf",       "rm",
    "it",           "boldsymbol", "boxed",       "fbox",       "middle",   "mathopen", "mathclose",
    "mathord",      "ensuremath", "bm",          "normalsize", "large",    "Large",    "small",
    "underline",    "strut",      "null",        "hfill"};
inline constexpr std::string_view kSpaceCommands[] = {"quad",       "qquad",        "thinspace",
                                                      "enspace",    "enskip",       "medspace",
                                                      "thickspace", "negthinspace", "space"};
inline constexpr std::string_view kTextCommands[] = {
    "text",       "mbox",    "textbf", "textrm", "textit",   "mathrm",       "mathbf",
    "mathit",     "mathsf",  "textsf", "texttt", "mathtt",   "operatorname", "hbox",
    "textnormal", "mathcal", "emph",   "textup", "bfseries", "textsc"};
/// Same meaning, one name.
inline constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"dfrac", "frac"},
    {"tfrac", "frac"},
    {"cfrac", "frac"},
    {"leq", "le"},
    {"leqslant", "le"},
    {"geq", "ge"},
    {"geqslant", "ge"},
    {"neq", "ne"},
    {"leqq", "le"},
    {"geqq", "ge"},
    {"lt", "<"},
    {"gt", ">"},
    {"cdot", "*"},
    {"times", "*"},
    {"ast", "*"},
    {"cdotp", "*"},
    {"div", "/"},
    {"lvert", "|"},
    {"rvert", "|"},
    {"vert", "|"},
    {"mid", "mid"},
    {"lbrace", "{{"},
    {"rbrace", "}}"},
    {"lbrack", "["},
    {"rbrack", "]"},
    {"lparen", "("},
    {"rparen", ")"},
    {"degree", "circ"},
    {"textdegree", "circ"},
    {"varnothing", "emptyset"},
    {"colon", ":"},
    {"dots", "ldots"},
    {"cdots", "ldots"},
    {"dotsc", "ldots"},
    {"dotsb", "ldots"},
    {"varphi", "phi"},
    {"varepsilon", "epsilon"},
    {"bigcup", "cup"},
    {"tbinom", "binom"},
    {"dbinom", "binom"},
    {"backslash", "setminus"},
    {"smallsetminus", "setminus"},
    {"prime", "'"},
    {"textdollar", "dollar"},
    {"pounds", "dollar"},
    {"euro", "dollar"},
    {"lor", "vee"},
    {"land", "wedge"},
    {"simeq", "approx"},
    {"approxeq", "approx"},
    {"bar", "overline"},
    {"infin", "infty"},
    {"Reals", "reals"},
    {"R", "reals"},
    {"lg", "log"},
    {"arcctg", "arccot"},
    {"ctg", "cot"},
    {"tg", "tan"},
    {"cosec", "csc"},
    {"percent", "%"},
    {"sfrac", "frac"},
    {"nicefrac", "frac"},
    {"surd", "sqrt"},
    {"cr", "\\"},
    {"implies", "Rightarrow"},
    {"minus", "-"},
    {"plus", "+"},
};

}  // namespace moebench::spellings
