#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/extraction/extraction.h"

namespace moebench {

/// How a file's rows are laid out (readers/).
enum class ReaderKind : std::uint8_t {
  kGsm8kJsonl,    ///< {"question", "answer": "... #### N"}
  kMathJsonl,     ///< {"problem", "level", "type", "solution"}: the gold is in the last box
  kMathTree,      ///< a folder of one such JSON object a file
  kMath500Jsonl,  ///< {"problem", "solution", "answer", "subject", "level", "unique_id"}
  kPlainJsonl,    ///< {"question", "target"} and, if present, "id", "solution", "level", "subject"
};

/// One place where a task's rows can be. The first of a task's files that exists is read.
struct DataFile {
  std::string file;  ///< relative to the data folder (or the task file); "embedded:NAME" is inside
                     ///< the program
  ReaderKind reader = ReaderKind::kPlainJsonl;
  std::string format;  ///< "jsonl" or "tree"
  std::string sha256;  ///< lower-case hex; empty: not pinned
  std::string url;     ///< where `moebench data fetch` gets it; empty: nowhere
};

enum class PromptForm : std::uint8_t {
  kChat,  ///< messages, for the model's chat template
  kText,  ///< one string to be continued, for base models
};

/// The prompt is the pieces in this order: system, shots, question. "{question}", "{solution}" and
/// "{target}" are replaced; nothing else in a template is special.
struct PromptSpec {
  PromptForm form = PromptForm::kChat;
  std::string system;                            ///< empty: no system message
  std::string question_template = "{question}";  ///< the user's message, or the end of the text
  std::string shot_question_template, shot_answer_template;
  std::string shot_separator;           ///< text form: between two shots, and before the question
  std::vector<std::int64_t> shot_rows;  ///< rows of the train split, in this order
};

/// What the protocol asks of the sampler. Absent: the protocol does not say.
struct SamplingDefaults {
  std::optional<double> temperature, top_p;
  std::optional<std::int64_t> max_tokens;
  std::int64_t samples_per_question = 1;  ///< pass@1 is averaged over these
  std::vector<std::string> stop;
};

enum class GradingKind : std::uint8_t {
  kNumber,  ///< GSM8K: one number
  kMath,    ///< any of MATH's answers (grading/equivalence.h)
};

/// A benchmark and its protocol: everything that a score depends on besides the model.
struct Task {
  std::string name, title;
  std::string source;    ///< who made the data, and their licence
  std::string protocol;  ///< whose protocol this follows, with its address
  std::vector<DataFile> files;
  std::vector<DataFile> train_files;  ///< where the shots come from; empty for zero-shot
  PromptSpec prompt;
  SamplingDefaults sampling;
  ExtractionRules extraction;
  GradingKind grading = GradingKind::kMath;
  bool require_simplest_form = false;  ///< an unreduced fraction is wrong
  std::string canonical_json;          ///< the task file, keys sorted, no spaces
  std::string base_folder;             ///< of a user's own task file; empty for built-in ones

  std::string hash() const;  ///< sha256 of canonical_json
};

/// The names of the built-in tasks, sorted.
std::vector<std::string> list_tasks();

/// A built-in task by name, or a task file by path (anything that ends in ".json"). Throws
/// Error(kConfiguration) that names the file and the key when the task is unknown or malformed;
/// an unknown key is an error as well.
Task load_task(const std::string& name_or_path);

/// The same from the file's text; `where` names it in errors.
Task parse_task(std::string_view json_text, const std::string& where);

}  // namespace moebench
