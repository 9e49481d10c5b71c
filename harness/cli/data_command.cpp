#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/fetch/fetch.h"
#include "datasets/fetch/sha256.h"
#include "datasets/prompts/prompt.h"
#include "datasets/readers/readers.h"
#include "datasets/statistics.h"
#include "datasets/task.h"
#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

struct DataArguments {
  std::string folder;
  std::vector<std::string> tasks;
  std::int64_t row = 0;
  bool prompt = false;
  std::string url;
};

std::vector<Task> chosen_tasks(const DataArguments& arguments) {
  std::vector<Task> tasks;
  for (const std::string& name : arguments.tasks.empty() ? list_tasks() : arguments.tasks)
    tasks.push_back(load_task(name));
  return tasks;
}

std::vector<DataFile> all_files(const Task& task) {
  std::vector<DataFile> files = task.files;
  files.insert(files.end(), task.train_files.begin(), task.train_files.end());
  return files;
}

std::string state_of(const DataFile& file, const std::string& folder) {
  if (file.file.starts_with("embedded:")) return "built in";
  const fs::path path = fs::path(folder) / file.file;
  if (folder.empty()) return file.url.empty() ? "yours to get" : "can be fetched";
  if (!fs::exists(path)) return "missing";
  if (file.sha256.empty()) return "present, not pinned";
  return sha256_of_file(path) == file.sha256 ? "verified" : "DIFFERENT FROM THE PINNED SUM";
}

ExitCode list(const DataArguments& arguments) {
  std::string out;
  for (const Task& task : chosen_tasks(arguments)) {
    out += task.name + ": " + task.title + "\n  data: " + task.source +
           "\n  protocol: " + task.protocol + "\n";
    for (const DataFile& file : all_files(task)) {
      out += "  file: " + file.file + " (" + state_of(file, arguments.folder) + ")";
      if (!file.url.empty()) out += " " + file.url;
      out += "\n";
    }
  }
  write_stdout(out);
  return ExitCode::kHolds;
}

ExitCode fetch(const DataArguments& arguments) {
  if (!arguments.url.empty() && arguments.tasks.size() != 1) {
    throw Error(ErrorCode::kUsage, "--url is for one task", "name exactly one task");
  }
  for (const Task& task : chosen_tasks(arguments)) {
    for (const std::vector<DataFile>* files : {&task.files, &task.train_files}) {
      for (const DataFile& file : *files) {
        if (file.url.empty()) continue;
        FetchRequest request;
        request.url = !arguments.url.empty() && files == &task.files ? arguments.url : file.url;
        request.target = fs::path(arguments.folder) / file.file;
        request.sha256 = file.sha256;
        const bool terminal = isatty(2) != 0;
        request.progress = [&, terminal](std::int64_t done, std::int64_t total) {
          if (!terminal) return;
          std::fprintf(stderr, "\r%s: %.1f of %.1f MB", file.file.c_str(),
                       static_cast<double>(done) / 1e6, static_cast<double>(total) / 1e6);
        };
        const FetchResult result = fetch_file(request);
        if (terminal && !result.already_there) std::fputc('\n', stderr);
        std::string line = request.target.string() + ": ";
        line += result.already_there ? "already there"
                                     : "fetched " + std::to_string(result.bytes) + " bytes";
        if (result.resumed_bytes > 0)
          line += " (" + std::to_string(result.resumed_bytes) + " of them earlier)";
        line += file.sha256.empty() ? ", not pinned, sha256 " + result.sha256 : ", sha256 verified";
        write_stdout(line + "\n");
        break;  // the first of the alternatives is enough
      }
    }
  }
  return ExitCode::kHolds;
}

ExitCode verify(const DataArguments& arguments) {
  if (!fs::is_directory(arguments.folder))
    throw Error(ErrorCode::kConfiguration, arguments.folder + ": there is no such folder",
                "moebench data fetch gsm8k math500 --data " + arguments.folder);
  int bad = 0, checked = 0;
  for (const Task& task : chosen_tasks(arguments)) {
    for (const DataFile& file : all_files(task)) {
      const std::string state = state_of(file, arguments.folder);
      if (state == "missing" && arguments.tasks.empty()) continue;
      checked += state != "built in" || !arguments.tasks.empty();
      const bool wrong = state == "missing" || state.starts_with("DIFFERENT");
      bad += wrong;
      write_stdout((wrong ? "FAILED  " : "ok      ") + task.name + "  " + file.file + "  " + state +
                   "\n");
    }
  }
  if (checked == 0)
    throw Error(ErrorCode::kConfiguration, arguments.folder + ": holds no file of any task",
                "moebench data fetch gsm8k math500 --data " + arguments.folder);
  return bad == 0 ? ExitCode::kHolds : ExitCode::kFailed;
}

ExitCode show(const DataArguments& arguments) {
  for (const Task& task : chosen_tasks(arguments)) {
    const SampleSet set = read_samples(task, arguments.folder);
    const Sample* sample = nullptr;
    for (const Sample& candidate : set.samples) {
      if (candidate.index == arguments.row) sample = &candidate;
    }
    if (!sample) {
      throw Error(ErrorCode::kUsage,
                  task.name + ": has no readable row " + std::to_string(arguments.row),
                  "rows are counted from 0; " + set.file + " has " +
                      std::to_string(set.samples.size()) + " readable ones");
    }
    std::string out = "task: " + task.name + "\nid: " + sample->id + "\nlevel: " + sample->level +
                      "\nsubject: " + sample->subject + "\nanswer: " + sample->target + "\n";
    for (const std::string& target : sample->corrected_targets)
      out += "corrected answer: " + target + "\n";
    if (arguments.prompt) {
      const Prompt prompt = build_prompt(task, read_shots(task, arguments.folder), *sample);
      for (const PromptMessage& message : prompt.messages)
        out += "--- " + message.role + "\n" + message.content + "\n";
      if (!prompt.text.empty()) out += "--- text\n" + prompt.text + "\n";
    } else {
      out += "--- question\n" + sample->question + "\n--- solution\n" + sample->solution + "\n";
    }
    write_stdout(out);
  }
  return ExitCode::kHolds;
}

ExitCode stats(const DataArguments& arguments) {
  std::vector<std::pair<std::string, SampleSet>> embedded;
  for (const std::string& name : list_tasks()) {
    const Task task = load_task(name);
    if (task.files[0].file.starts_with("embedded:"))
      embedded.emplace_back(name, read_samples(task, {}));
  }
  for (const Task& task : chosen_tasks(arguments)) {
    const SampleSet set = read_samples(task, arguments.folder);
    const SampleStatistics statistics = describe(set);
    char line[256];
    std::string out = task.name + ": " + set.file + "\n";
    std::snprintf(
        line, sizeof line,
        "  %lld problems, %lld malformed rows, %lld different answers, questions of %.0f bytes on "
        "average, %lld at most\n",
        static_cast<long long>(statistics.rows), static_cast<long long>(statistics.malformed),
        static_cast<long long>(statistics.distinct_targets), statistics.mean_question_bytes,
        static_cast<long long>(statistics.longest_question_bytes));
    out += line;
    for (const MalformedRow& row : set.malformed)
      out += "  malformed row " + std::to_string(row.row) + ": " + row.reason + "\n";
    for (const auto* groups : {&statistics.by_level, &statistics.by_subject}) {
      if (groups->size() < 2) continue;
      out += groups == &statistics.by_level ? "  by level:" : "  by subject:";
      for (const auto& [name, count] : *groups)
        out +=
            " " + (name.empty() ? std::string("none") : name) + " " + std::to_string(count) + ";";
      out += "\n";
    }
    out += "  golds known to be incomplete or wrong (scored both ways): " +
           std::to_string(statistics.corrected) + "\n";
    out += "  duplicate questions: " + std::to_string(statistics.duplicates.size()) + "\n";
    for (const std::string& duplicate : statistics.duplicates) out += "    " + duplicate + "\n";
    for (const auto& [name, other] : embedded) {
      if (name == task.name) continue;
      const std::vector<std::string> shared = shared_questions(set, other);
      out += "  questions shared with " + name + ": " + std::to_string(shared.size()) + "\n";
      for (const std::string& question : shared) out += "    " + question + "\n";
    }
    write_stdout(out);
  }
  return ExitCode::kHolds;
}

}  // namespace

void add_data_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<DataArguments>();
  CLI::App* sub = app.add_subcommand("data", "List, fetch, verify, show and describe the problems");
  sub->require_subcommand(1);
  sub->footer(R"(Examples:
  moebench data list
  moebench data fetch gsm8k math500 --data ./data
  moebench data verify --data ./data
  moebench data show math-mini --row 3 --prompt
  moebench data stats gsm8k --data ./data)");
  const auto add = [&](const char* name, const char* description,
                       ExitCode (*action)(const DataArguments&), bool needs_folder) {
    CLI::App* command = sub->add_subcommand(name, description);
    command
        ->add_option("tasks", arguments->tasks,
                     "Names of tasks, or task files (default: all built-in ones)")
        ->option_text("TASK...");
    CLI::Option* folder = command
                              ->add_option("--data", arguments->folder,
                                           "Folder of the data files; default: $MOEBENCH_DATA_DIR")
                              ->envname("MOEBENCH_DATA_DIR")
                              ->option_text("DIR");
    if (needs_folder) folder->required();
    command->callback([arguments, action, &chosen] {
      chosen = [arguments, action] { return action(*arguments); };
    });
    return command;
  };
  add("list", "Tasks with their sources, protocols and files", list, false);
  CLI::App* fetch_app =
      add("fetch", "Download what tasks need; goes on where it was interrupted", fetch, true);
  fetch_app
      ->add_option(
          "--url", arguments->url,
          "Another address for the problems of the one task named; the pinned sum still holds")
      ->option_text("URL");
  add("verify", "Check files against their pinned sha256", verify, true);
  CLI::App* show_app = add("show", "One problem, or the prompt made of it", show, false);
  show_app->add_option("--row", arguments->row, "Row of the file, from 0")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  show_app->add_flag("--prompt", arguments->prompt, "The prompt as the model gets it");
  add("stats", "Counts by level and subject, duplicates, overlap with the built-in sets", stats,
      false);
}

}  // namespace moebench
