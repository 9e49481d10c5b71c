#include <algorithm>

#include "datasets/grading/compare.h"

namespace moebench {
namespace {

constexpr std::size_t kMaxPieces = 40;

End infinite_end(int sign) {
  End end;
  end.infinite = sign;
  return end;
}

}  // namespace

bool Comparer::make_end(const Reference& e, bool closed, End& end) {
  Reference inner = e;
  int sign = 1;
  while (inner.node().kind == NodeKind::kNegate) {
    sign = -sign;
    inner = inner.child(0);
  }
  if (inner.node().kind == NodeKind::kInfinity) {
    end = infinite_end(sign);
    return true;
  }
  if (!is_scalar(e) || !variables(e).empty()) return false;
  Ball value;
  if (!evaluate_ball(e, 0, 128, work_, value) || !value.is_real()) return false;
  end.infinite = 0;
  end.value = e;
  end.closed = closed;
  return true;
}

/// -1, 0, +1 by value alone.
int Comparer::order(const End& a, const End& b) {
  if (a.infinite != 0 || b.infinite != 0)
    return (a.infinite > b.infinite) - (a.infinite < b.infinite);
  Ball x, y;
  if (evaluate_ball(a.value, 0, 128, work_, x) && evaluate_ball(b.value, 0, 128, work_, y)) {
    if (arb_lt(x.real(), y.real())) return -1;
    if (arb_gt(x.real(), y.real())) return 1;
  }
  return 0;  // the balls overlap at 38 digits
}

void Comparer::normalise(RealSet& set) {
  std::vector<Piece> kept;
  for (Piece& piece : set.pieces) {
    const int compared = order(piece.low, piece.high);
    if (compared > 0) continue;
    if (compared == 0 && (piece.low.infinite != 0 || !piece.low.closed || !piece.high.closed))
      continue;
    kept.push_back(piece);
  }
  std::sort(kept.begin(), kept.end(), [&](const Piece& a, const Piece& b) {
    const int compared = order(a.low, b.low);
    return compared != 0 ? compared < 0 : a.low.closed && !b.low.closed;
  });
  std::vector<Piece> merged;
  for (const Piece& piece : kept) {
    if (!merged.empty()) {
      Piece& last = merged.back();
      const int gap = order(last.high, piece.low);
      if (gap > 0 || (gap == 0 && (last.high.closed || piece.low.closed))) {
        const int compared = order(last.high, piece.high);
        if (compared < 0) {
          last.high = piece.high;
        } else if (compared == 0) {
          last.high.closed = last.high.closed || piece.high.closed;
        }
        continue;
      }
    }
    merged.push_back(piece);
  }
  set.pieces = std::move(merged);
}

RealSet Comparer::intersect(const RealSet& a, const RealSet& b) {
  RealSet result;
  result.variable = a.variable.empty() ? b.variable : a.variable;
  for (const Piece& x : a.pieces) {
    for (const Piece& y : b.pieces) {
      Piece piece;
      const int low = order(x.low, y.low);
      piece.low = low > 0 ? x.low : y.low;
      if (low == 0) piece.low.closed = x.low.closed && y.low.closed;
      const int high = order(x.high, y.high);
      piece.high = high < 0 ? x.high : y.high;
      if (high == 0) piece.high.closed = x.high.closed && y.high.closed;
      result.pieces.push_back(piece);
    }
  }
  normalise(result);
  return result;
}

RealSet Comparer::complement(const RealSet& set) {
  RealSet result;
  result.variable = set.variable;
  End low = infinite_end(-1);
  for (const Piece& piece : set.pieces) {
    Piece gap;
    gap.low = low;
    gap.high = piece.low;
    gap.high.closed = piece.low.infinite == 0 && !piece.low.closed;
    result.pieces.push_back(gap);
    low = piece.high;
    low.closed = piece.high.infinite == 0 && !piece.high.closed;
  }
  result.pieces.push_back({low, infinite_end(1)});
  normalise(result);
  return result;
}

bool Comparer::looks_like_real_set(const Reference& e) const {
  const Node& node = e.node();
  switch (node.kind) {
    case NodeKind::kUnion:
    case NodeKind::kIntersection:
    case NodeKind::kDifference:
    case NodeKind::kAllReals:
      return true;
    case NodeKind::kBracket:
      return node.children.size() == 2 && (node.open == '[' || node.close == ']');
    case NodeKind::kRelation:
      return node.relations[0] != Relation::kEqual && node.relations[0] != Relation::kApproximately;
    case NodeKind::kList:
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (looks_like_real_set(e.child(i))) return true;
      }
      return false;
    default:
      return false;
  }
}

bool Comparer::to_real_set(const Reference& e, RealSet& set) {
  const Node& node = e.node();
  work_.spend(5);
  switch (node.kind) {
    case NodeKind::kAllReals:
      set.pieces = {{infinite_end(-1), infinite_end(1)}};
      return true;
    case NodeKind::kNoSolution:
      set.pieces.clear();
      return true;
    case NodeKind::kBracket: {
      if (node.children.size() != 2) return false;
      Piece piece;
      if (!make_end(e.child(0), node.open == '[', piece.low) ||
          !make_end(e.child(1), node.close == ']', piece.high))
        return false;
      set.pieces = {piece};
      normalise(set);
      return true;
    }
    case NodeKind::kSet:
      if (node.children.size() > kMaxPieces) return false;
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        for (const Reference& value : flatten(e.child(i))) {
          Piece piece;
          if (!make_end(value, true, piece.low) || piece.low.infinite != 0) return false;
          piece.high = piece.low;
          set.pieces.push_back(piece);
        }
      }
      normalise(set);
      return true;
    case NodeKind::kUnion:
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        RealSet part;
        if (!to_real_set(e.child(i), part)) return false;
        if (set.variable.empty()) set.variable = part.variable;
        set.pieces.insert(set.pieces.end(), part.pieces.begin(), part.pieces.end());
        if (set.pieces.size() > kMaxPieces) return false;
      }
      normalise(set);
      return true;
    case NodeKind::kIntersection:
    case NodeKind::kDifference: {
      RealSet left, right;
      if (!to_real_set(e.child(0), left) || !to_real_set(e.child(1), right)) return false;
      set = intersect(left, node.kind == NodeKind::kDifference ? complement(right) : right);
      return true;
    }
    case NodeKind::kRelation:
      return relation_to_real_set(e, set);
    case NodeKind::kList:
      return list_to_real_set(e, set);
    default:
      return false;
  }
}

bool Comparer::relation_to_real_set(const Reference& e, RealSet& set) {
  const Node& node = e.node();
  if (node.relations.size() == 1 && node.relations[0] == Relation::kElementOf) {
    if (e.child(0).node().kind != NodeKind::kSymbol || !to_real_set(e.child(1), set)) return false;
    set.variable = e.child(0).node().text;
    return true;
  }
  if (node.relations.size() > 2) return false;
  // Each link "a op b" with the variable on one side gives a half-line; the chain is their
  // intersection.
  set.pieces = {{infinite_end(-1), infinite_end(1)}};
  for (std::size_t i = 0; i < node.relations.size(); ++i) {
    Reference left = e.child(i), right = e.child(i + 1);
    Relation relation = node.relations[i];
    if (left.node().kind != NodeKind::kSymbol) {
      std::swap(left, right);
      switch (relation) {
        case Relation::kLess:
          relation = Relation::kGreater;
          break;
        case Relation::kLessEqual:
          relation = Relation::kGreaterEqual;
          break;
        case Relation::kGreater:
          relation = Relation::kLess;
          break;
        case Relation::kGreaterEqual:
          relation = Relation::kLessEqual;
          break;
        default:
          break;
      }
    }
    if (left.node().kind != NodeKind::kSymbol) return false;
    if (!set.variable.empty() && set.variable != left.node().text) return false;
    set.variable = left.node().text;
    RealSet link;
    link.variable = set.variable;
    if (relation == Relation::kNotEqual) {  // perhaps with both signs: x != ±1
      for (const Reference& value : flatten(right)) {
        End point;
        if (!make_end(value, true, point)) return false;
        link.pieces.push_back({point, point});
      }
      normalise(link);
      set = intersect(set, complement(link));
      continue;
    }
    Piece piece{infinite_end(-1), infinite_end(1)};
    End end;
    const bool closed = relation == Relation::kLessEqual || relation == Relation::kGreaterEqual ||
                        relation == Relation::kEqual;
    if (!make_end(right, closed, end)) return false;
    switch (relation) {
      case Relation::kLess:
      case Relation::kLessEqual:
        piece.high = end;
        break;
      case Relation::kGreater:
      case Relation::kGreaterEqual:
        piece.low = end;
        break;
      case Relation::kEqual:
        piece = {end, end};
        break;
      default:
        return false;
    }
    link.pieces = {piece};
    set = intersect(set, link);
  }
  return true;
}

/// "x < 1 or x > 3" is a union. With "and" or a comma, inequalities that leave something in common
/// are meant together, others apart.
bool Comparer::list_to_real_set(const Reference& e, RealSet& set) {
  const Node& node = e.node();
  if (node.children.size() > kMaxPieces) return false;
  std::vector<RealSet> parts;
  bool relations = true;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    RealSet part;
    const NodeKind kind = e.child(i).node().kind;
    if (kind != NodeKind::kRelation && kind != NodeKind::kBracket && kind != NodeKind::kUnion)
      return false;
    relations = relations && kind == NodeKind::kRelation;
    if (!to_real_set(e.child(i), part)) return false;
    if (!parts.empty() && !part.variable.empty() && parts[0].variable != part.variable)
      return false;
    parts.push_back(std::move(part));
  }
  // Intervals that overlap are several answers: "[1,4] or (1,4)".
  for (std::size_t i = 0; i < parts.size() && !relations; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!intersect(parts[i], parts[j]).pieces.empty()) return false;
    }
  }
  RealSet common = parts[0], all = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    common = intersect(common, parts[i]);
    all.pieces.insert(all.pieces.end(), parts[i].pieces.begin(), parts[i].pieces.end());
    if (all.pieces.size() > kMaxPieces) return false;
  }
  normalise(all);
  set = relations && node.joiner != 'o' && !common.pieces.empty() ? common : all;
  return true;
}

Outcome Comparer::compare_real_sets(const RealSet& gold, const RealSet& answer) {
  if (!gold.variable.empty() && !answer.variable.empty() && gold.variable != answer.variable) {
    return {Same::kNo, GradeReason::kStructure};
  }
  if (gold.pieces.size() != answer.pieces.size()) return {Same::kNo, GradeReason::kElements};
  for (std::size_t i = 0; i < gold.pieces.size(); ++i) {
    const auto same = [&](const End& a, const End& b) {
      if (a.infinite != b.infinite || a.closed != b.closed) return false;
      return a.infinite != 0 || compare_scalars(a.value, b.value).yes();
    };
    if (!same(gold.pieces[i].low, answer.pieces[i].low) ||
        !same(gold.pieces[i].high, answer.pieces[i].high)) {
      return {Same::kNo, GradeReason::kElements};
    }
  }
  return {Same::kYes, GradeReason::kElements};
}

}  // namespace moebench
