#include "harness/processes/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

namespace moebench {

namespace {

constexpr std::size_t kTailBytes = 2000;
constexpr int kTailLines = 15;

}  // namespace

void die_with(pid_t parent) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it ended before that
}

std::string last_lines(std::string_view text, std::string_view indent) {
  if (text.size() > kTailBytes) text.remove_prefix(text.size() - kTailBytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  int lines = 0;
  for (std::size_t at = text.size(); at > 0; --at) {
    if (text[at - 1] == '\n' && ++lines == kTailLines) {
      text.remove_prefix(at);
      break;
    }
  }
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    shown += c == '\n' || (byte >= 0x20 && byte != 0x7f) ? c : '?';
    if (c == '\n') shown += indent;
  }
  return shown;
}

std::string last_lines_of(const std::filesystem::path& file, std::string_view indent) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const std::streamoff size = in.tellg();
  in.seekg(std::max<std::streamoff>(0, size - std::streamoff{kTailBytes}));
  return last_lines(std::string(std::istreambuf_iterator<char>(in), {}), indent);
}

std::string exit_text(int status) {
  if (!WIFSIGNALED(status)) return "exit code " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const char* const name = ::strsignal(number);
  return "signal " + std::to_string(number) +
         (name != nullptr ? " (" + std::string(name) + ")" : "");
}

}  // namespace moebench
