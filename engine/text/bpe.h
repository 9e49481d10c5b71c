#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moebench::text {

/// Text of each token, by id, and the id of each text. Ids without a text are holes.
class TokenTable {
 public:
  /// Throws Error(kBadModel) past kMaxTokens. find() gives the highest id of a text, and never one
  /// that was set with `findable` false.
  void set(std::int32_t id, std::string_view text, bool findable = true);
  /// Call once, after the last set(); find() works from then on.
  void build_index();

  std::int32_t size() const noexcept { return static_cast<std::int32_t>(spans_.size()); }
  bool contains(std::int32_t id) const noexcept;
  std::string_view text(std::int32_t id) const noexcept;
  std::int32_t find(std::string_view text) const noexcept;  ///< -1: none

  static constexpr std::int32_t kMaxTokens = 8 * 1024 * 1024;

 private:
  struct Entry {
    std::uint32_t offset = 0, size = 0;
    bool set = false, findable = false;
  };
  std::string bytes_;
  std::vector<Entry> spans_;
  std::vector<std::int32_t> index_;  // open addressing, power of two, -1 empty
};

/// Byte-pair encoding of one word: starts from symbols and joins the adjacent pair of lowest rank,
/// the leftmost among equals, until no pair has a rank. O(n log n) for long words.
/// Thread-safe once built.
class Bpe {
 public:
  struct Merge {
    std::int32_t left = 0, right = 0, result = 0;
    std::uint32_t rank = 0;
  };

  /// A pair given twice keeps the rank given last.
  void set_merges(const std::vector<Merge>& merges);
  std::size_t n_merges() const noexcept { return n_merges_; }
  /// In the order of rank.
  std::vector<Merge> merges() const;

  /// Joins `symbols` in place.
  void merge(std::vector<std::int32_t>& symbols) const;

 private:
  struct Slot {
    std::uint64_t pair = kEmpty;
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  const Slot* find(std::int32_t left, std::int32_t right) const noexcept;
  void merge_short(std::vector<std::int32_t>& symbols) const;
  void merge_long(std::vector<std::int32_t>& symbols) const;

  std::vector<Slot> slots_;
  std::size_t mask_ = 0, n_merges_ = 0;
};

}  // namespace moebench::text
