#include "engine/runtime/page_pool.h"

#include <algorithm>
#include <numeric>

#include "engine/base/check.h"

namespace moebench {

std::size_t PagePool::KeyHash::operator()(const Key& key) const noexcept {
  // Multiply-xorshift over the words; equality compares everything, so quality matters only for
  // speed.
  std::uint64_t h = key.parent * 0x9e3779b97f4a7c15u + 1;
  for (const std::int32_t token : key.tokens) {
    h = (h ^ static_cast<std::uint32_t>(token)) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return static_cast<std::size_t>(h);
}

PagePool::PagePool(std::int64_t n_pages, bool prefix_sharing, std::int64_t max_idle_pages)
    : pages_(static_cast<std::size_t>(n_pages)),
      free_(static_cast<std::size_t>(n_pages)),
      prefix_sharing_(prefix_sharing),
      max_idle_pages_(max_idle_pages) {
  std::iota(free_.rbegin(), free_.rend(), 0);
}

PagePool::Match PagePool::find(std::span<const std::int32_t> tokens,
                               std::int64_t max_blocks) const {
  Match match;
  if (!prefix_sharing_) return match;
  const std::int64_t whole = static_cast<std::int64_t>(tokens.size()) / kBlockTokens;
  for (std::int64_t block = 0; block < std::min(whole, max_blocks); ++block) {
    Key key{match.node, {}};
    std::copy_n(tokens.begin() + block * kBlockTokens, kBlockTokens, key.tokens.begin());
    const auto found = index_.find(key);
    if (found == index_.end()) break;
    const Page& page = pages_[static_cast<std::size_t>(found->second)];
    if (!page.ready) {
      match.pending = true;
      break;
    }
    match.pages.push_back(found->second);
    match.node = page.node;
    if (page.users == 0) ++match.idle_pages;
  }
  return match;
}

void PagePool::reference(std::int32_t page_index) {
  Page& page = pages_[static_cast<std::size_t>(page_index)];
  MOEBENCH_CHECK(page.users > 0 || page.node != kRoot);
  if (page.users++ == 0) idle_.erase(page.idle_place);
}

std::optional<std::int32_t> PagePool::allocate() {
  if (free_.empty()) {
    if (idle_.empty()) return std::nullopt;
    const std::int32_t oldest = idle_.front();
    idle_.pop_front();
    forget(oldest);
    free_.push_back(oldest);
  }
  const std::int32_t page = free_.back();
  free_.pop_back();
  pages_[static_cast<std::size_t>(page)].users = 1;
  return page;
}

std::optional<PagePool::NodeId> PagePool::enter(NodeId parent,
                                                std::span<const std::int32_t> block_tokens,
                                                std::int32_t page_index) {
  MOEBENCH_CHECK(static_cast<std::int64_t>(block_tokens.size()) == kBlockTokens);
  if (!prefix_sharing_) return std::nullopt;
  Key key{parent, {}};
  std::copy(block_tokens.begin(), block_tokens.end(), key.tokens.begin());
  const auto [place, inserted] = index_.try_emplace(key, page_index);
  if (!inserted) return std::nullopt;
  Page& page = pages_[static_cast<std::size_t>(page_index)];
  MOEBENCH_CHECK(page.users == 1 && page.node == kRoot);
  page.node = next_node_++;
  page.key = &place->first;  // stays valid: elements of an unordered_map don't move
  page.ready = false;
  return page.node;
}

void PagePool::mark_ready(std::int32_t page) {
  Page& p = pages_[static_cast<std::size_t>(page)];
  if (p.node != kRoot) p.ready = true;
}

void PagePool::release(std::int32_t page_index) {
  Page& page = pages_[static_cast<std::size_t>(page_index)];
  MOEBENCH_CHECK(page.users > 0);
  if (--page.users > 0) return;
  if (page.node != kRoot && page.ready) {
    page.idle_place = idle_.insert(idle_.end(), page_index);
    if (static_cast<std::int64_t>(idle_.size()) <= max_idle_pages_) return;
    const std::int32_t oldest = idle_.front();
    idle_.pop_front();
    forget(oldest);
    free_.push_back(oldest);
    return;
  }
  if (page.node != kRoot) forget(page_index);
  free_.push_back(page_index);
}

void PagePool::forget(std::int32_t page_index) {
  Page& page = pages_[static_cast<std::size_t>(page_index)];
  index_.erase(index_.find(*page.key));
  page.node = kRoot;
  page.key = nullptr;
  page.ready = false;
}

}  // namespace moebench
