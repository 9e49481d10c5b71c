#include "engine/text/bpe.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <queue>
#include <tuple>

#include "engine/base/error.h"

namespace moebench::text {

namespace {

// Words above this length pay for a heap; below, a scan over all pairs at each step is faster.
constexpr std::size_t kShortWordSymbols = 48;

std::uint64_t mix(std::uint64_t x) noexcept {
  x *= 0x9E3779B97F4A7C15ull;
  return x ^ (x >> 32);
}

std::uint64_t hash_bytes(std::string_view text) noexcept {
  std::uint64_t hash = 0x243F6A8885A308D3ull ^ text.size();
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t chunk = 0;
    std::memcpy(&chunk, text.data() + i, 8);
    hash = mix(hash ^ chunk);
  }
  std::uint64_t tail = 0;
  std::memcpy(&tail, text.data() + i, text.size() - i);
  return mix(hash ^ tail);
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) noexcept {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

std::size_t table_size(std::size_t n) {
  std::size_t size = 16;
  while (size < 2 * n) size *= 2;
  return size;
}

}  // namespace

void TokenTable::set(std::int32_t id, std::string_view text, bool findable) {
  if (id < 0 || id >= kMaxTokens)
    throw Error(ErrorCode::kBadModel, "tokenizer: token id " + std::to_string(id) + " of '" +
                                          std::string(text.substr(0, 80)) + "' is out of range");
  if (bytes_.size() + text.size() > std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::kBadModel, "tokenizer: the vocabulary's text exceeds 4 GiB");
  const auto at = static_cast<std::size_t>(id);
  if (at >= spans_.size()) spans_.resize(at + 1);
  spans_[at] = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size()),
                true, findable};
  bytes_.append(text);
}

void TokenTable::build_index() {
  index_.assign(table_size(spans_.size()), -1);
  const std::size_t mask = index_.size() - 1;
  for (std::int32_t id = 0; id < size(); ++id) {
    if (!contains(id) || !spans_[static_cast<std::size_t>(id)].findable) continue;
    const std::string_view entry = text(id);
    std::size_t slot = hash_bytes(entry) & mask;
    while (index_[slot] >= 0 && text(index_[slot]) != entry) slot = (slot + 1) & mask;
    index_[slot] = id;
  }
}

bool TokenTable::contains(std::int32_t id) const noexcept {
  return id >= 0 && id < size() && spans_[static_cast<std::size_t>(id)].set;
}

std::string_view TokenTable::text(std::int32_t id) const noexcept {
  const Entry& entry = spans_[static_cast<std::size_t>(id)];
  return std::string_view(bytes_).substr(entry.offset, entry.size);
}

std::int32_t TokenTable::find(std::string_view wanted) const noexcept {
  if (index_.empty()) return -1;
  const std::size_t mask = index_.size() - 1;
  for (std::size_t slot = hash_bytes(wanted) & mask; index_[slot] >= 0; slot = (slot + 1) & mask)
    if (text(index_[slot]) == wanted) return index_[slot];
  return -1;
}

void Bpe::set_merges(const std::vector<Merge>& merges) {
  slots_.assign(table_size(merges.size()), {});
  mask_ = slots_.size() - 1;
  n_merges_ = 0;
  for (const Merge& merge : merges) {
    const std::uint64_t key = pair_key(merge.left, merge.right);
    std::size_t slot = mix(key) & mask_;
    while (slots_[slot].pair != kEmpty && slots_[slot].pair != key) slot = (slot + 1) & mask_;
    n_merges_ += slots_[slot].pair == kEmpty ? 1 : 0;
    slots_[slot] = {key, merge.rank, merge.result};
  }
}

std::vector<Bpe::Merge> Bpe::merges() const {
  std::vector<Merge> list;
  list.reserve(n_merges_);
  for (const Slot& slot : slots_)
    if (slot.pair != kEmpty)
      list.push_back({static_cast<std::int32_t>(slot.pair >> 32),
                      static_cast<std::int32_t>(slot.pair & 0xFFFFFFFF), slot.result, slot.rank});
  std::ranges::sort(
      list, {}, [](const Merge& merge) { return std::tuple(merge.rank, merge.left, merge.right); });
  return list;
}

const Bpe::Slot* Bpe::find(std::int32_t left, std::int32_t right) const noexcept {
  if (slots_.empty()) return nullptr;
  const std::uint64_t key = pair_key(left, right);
  for (std::size_t slot = mix(key) & mask_; slots_[slot].pair != kEmpty; slot = (slot + 1) & mask_)
    if (slots_[slot].pair == key) return &slots_[slot];
  return nullptr;
}

void Bpe::merge(std::vector<std::int32_t>& symbols) const {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShortWordSymbols) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
}

void Bpe::merge_short(std::vector<std::int32_t>& symbols) const {
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  struct Pair {
    std::uint32_t rank;
    std::int32_t result;
  };
  Pair pairs[kShortWordSymbols];  // pairs[i] joins symbols i and i + 1
  std::size_t n = symbols.size();
  const auto look_up = [&](std::size_t i) {
    const Slot* slot = find(symbols[i], symbols[i + 1]);
    pairs[i] = slot ? Pair{slot->rank, slot->result} : Pair{kNone, -1};
  };
  for (std::size_t i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (pairs[best].result < 0) break;
    symbols[best] = pairs[best].result;
    for (std::size_t i = best + 1; i + 1 < n; ++i) symbols[i] = symbols[i + 1];
    for (std::size_t i = best + 1; i + 2 < n; ++i) pairs[i] = pairs[i + 1];
    --n;
    if (best > 0) look_up(best - 1);
    if (best + 1 < n) look_up(best);
  }
  symbols.resize(n);
}

void Bpe::merge_long(std::vector<std::int32_t>& symbols) const {
  struct Candidate {
    std::uint32_t rank;
    std::uint32_t at;
    std::int32_t result;
  };
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  if (symbols.size() >= std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::kUsage, "tokenizer: a text of more than 4 G symbols");
  const auto n = static_cast<std::uint32_t>(symbols.size());
  const std::uint32_t none = n;
  std::vector<std::uint32_t> previous(n), next(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? none : i - 1;
    next[i] = i + 1;
  }
  std::vector<Candidate> initial;
  initial.reserve(n);
  for (std::uint32_t i = 0; i + 1 < n; ++i)
    if (const Slot* slot = find(symbols[i], symbols[i + 1]))
      initial.push_back({slot->rank, i, slot->result});
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(later)> queue(later,
                                                                                std::move(initial));
  const auto push = [&](std::uint32_t left) {
    if (left == none || next[left] == none) return;
    if (const Slot* slot = find(symbols[left], symbols[next[left]]))
      queue.push({slot->rank, left, slot->result});
  };
  while (!queue.empty()) {
    const Candidate candidate = queue.top();
    queue.pop();
    // A candidate is stale when either of its symbols has been joined since.
    if (symbols[candidate.at] < 0 || next[candidate.at] == none) continue;
    const std::uint32_t right = next[candidate.at];
    const Slot* slot = find(symbols[candidate.at], symbols[right]);
    if (!slot || slot->result != candidate.result || slot->rank != candidate.rank) continue;
    symbols[candidate.at] = candidate.result;
    symbols[right] = -1;
    next[candidate.at] = next[right];
    if (next[right] != none) previous[next[right]] = candidate.at;
    push(previous[candidate.at]);
    push(candidate.at);
  }
  std::erase_if(symbols, [](std::int32_t symbol) { return symbol < 0; });
}

}  // namespace moebench::text
