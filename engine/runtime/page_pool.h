#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/backends/backend.h"

namespace moebench {

/// Which pages of the KV cache hold what: reference counts, the prefix index, and the order in
/// which released pages are given to others. Knows no tensors.
///
/// A prompt is cut into blocks of KvLayer::kBlockTokens. The index is a tree whose edges are
/// (parent's node, the block's tokens), compared in full, so two prompts share a page only when all
/// tokens up to it are equal. A node is entered when a sequence is admitted and marked ready when
/// its page was computed; others that need it wait until then. Pages nobody references stay in the
/// index until they are needed, the longest unused first; the deepest of a sequence first.
class PagePool {
 public:
  static constexpr std::int64_t kBlockTokens = KvLayer::kBlockTokens;
  using NodeId = std::uint64_t;
  static constexpr NodeId kRoot = 0;

  /// `prefix_sharing` off: nothing is ever found. At most `max_idle_pages` unreferenced pages stay
  /// in the index.
  PagePool(std::int64_t n_pages, bool prefix_sharing, std::int64_t max_idle_pages);

  std::int64_t n_pages() const noexcept { return static_cast<std::int64_t>(pages_.size()); }
  /// Pages that allocate() can still give: free ones and unreferenced ones of the index.
  std::int64_t available_pages() const noexcept {
    return static_cast<std::int64_t>(free_.size() + idle_.size());
  }

  struct Match {
    std::vector<std::int32_t> pages;  ///< ready pages of the longest known prefix, in order
    NodeId node = kRoot;              ///< of the last of them
    bool pending = false;             ///< the next block is being computed by another sequence
    std::int64_t idle_pages = 0;      ///< of `pages`, those that available_pages() counts now
  };
  /// Looks up the first `max_blocks` whole blocks of `tokens`. Takes no references.
  Match find(std::span<const std::int32_t> tokens, std::int64_t max_blocks) const;

  /// One more user of a page found by find().
  void reference(std::int32_t page);
  /// A fresh page with one user; nothing when available_pages() is 0.
  std::optional<std::int32_t> allocate();
  /// Enters a just allocated page as the child of `parent`; nothing (and the page stays private)
  /// when that block is known already or sharing is off.
  std::optional<NodeId> enter(NodeId parent, std::span<const std::int32_t> block_tokens,
                              std::int32_t page);
  /// The page's contents are computed: others may use it from now on.
  void mark_ready(std::int32_t page);
  /// One user less. A page that was entered but never became ready leaves the index.
  void release(std::int32_t page);

 private:
  struct Key {
    NodeId parent;
    std::array<std::int32_t, kBlockTokens> tokens;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Page {
    std::int32_t users = 0;
    bool ready = false;
    NodeId node = kRoot;  ///< kRoot: not in the index
    const Key* key = nullptr;
    std::list<std::int32_t>::iterator idle_place;  ///< valid when users == 0 and in the index
  };

  void forget(std::int32_t page);

  std::vector<Page> pages_;
  std::vector<std::int32_t> free_;  ///< the last one is given first
  std::list<std::int32_t> idle_;    ///< unreferenced pages of the index, longest unused first
  std::unordered_map<Key, std::int32_t, KeyHash> index_;
  NodeId next_node_ = kRoot + 1;
  bool prefix_sharing_;
  std::int64_t max_idle_pages_;
};

}  // namespace moebench
