#include "tests/conformance/op_cases.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/conformance/device_data.h"

namespace moebench::conformance {
namespace {

// Rounding activations to int8 costs about 0.5 % of a row's norm; plain types differ by the order
// of additions alone.
double tolerance_for(DType dtype) { return is_quantized(dtype) ? 2e-2 : 2e-5; }

std::string shape_name(std::int64_t n, std::int64_t k) {
  return std::to_string(n) + "x" + std::to_string(k);
}

Op matmul_op(DType dtype, std::int64_t n, std::int64_t k, bool bias, bool accumulate) {
  return [=](Backend& b, std::span<const int> rows) {
    const auto first = b.prepare_matrix(stored(dtype, {n, k}, 1, 0.05f));
    const auto second = b.prepare_matrix(stored(dtype, {n + 3, k}, 2, 0.05f));
    const auto offset = b.prepare_vector(stored(DType::kF32, {n}, 3, 1.0f));
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, k}, pick_rows<float>(normal(kRows * k, 4), k, rows));
    // Both outputs are column slices of one tensor, so that strides matter.
    const std::int64_t width = 2 * n + 3;
    const F32Tensor out(b, {count, width}, pick_rows<float>(normal(kRows * width, 5), width, rows));
    Tensor left = out.tensor, right = out.tensor;
    left.shape[1] = n;
    right.shape[1] = n + 3;
    right.data = out.tensor.row<float>(0) + n;
    const MatmulTarget targets[] = {{first.get(), left, bias ? offset.get() : nullptr, accumulate},
                                    {second.get(), right, nullptr, false}};
    b.matmul(x.tensor, targets);
    b.synchronize();
    return out.download();
  };
}

Op head_matmul_op(DType type, std::int64_t heads, std::int64_t n, std::int64_t k) {
  return [=](Backend& b, std::span<const int> rows) {
    // What F16 keeps exactly, so that both backends hold the same values.
    const TensorView half = stored(DType::kF16, {heads, n, k}, 11, 0.05f);
    std::vector<float> values(static_cast<std::size_t>(heads * n * k));
    to_f32(values.data(), half.data, DType::kF16, values.size());
    const TensorView view = {
        reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {heads, n, k}};
    const auto weight = b.prepare_head_matrices(view, type);
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, heads, k},
                      pick_rows<float>(normal(kRows * heads * k, 12), heads * k, rows));
    const F32Tensor out(b, {count, heads, n});
    b.head_matmul(out.tensor, x.tensor, *weight);
    b.synchronize();
    return out.download();
  };
}

/// FP8 with its scales apart where the backend keeps them so (TensorView::tiles), else multiplied
/// out in F32.
class TiledF8 {
 public:
  static constexpr std::int64_t kTileRows = 16, kTileColumns = 128;

  TiledF8(const Shape& shape, std::uint32_t seed)
      : kept_(stored(DType::kF8E4M3, shape, seed, 1.0f)) {
    const std::int64_t tile_rows = (shape[0] + kTileRows - 1) / kTileRows;
    const std::int64_t per_row = (shape[1] + kTileColumns - 1) / kTileColumns;
    for (std::int64_t i = 0; i < tile_rows * per_row; ++i)
      scales_.push_back(
          std::ldexp(1.0f + 0.1f * static_cast<float>(i % 7), -4 - static_cast<int>(i % 5)));
    kept_.tiles = {reinterpret_cast<const std::byte*>(scales_.data()), kTileRows, kTileColumns,
                   per_row};
    values_.resize(static_cast<std::size_t>(shape.elements()));
    to_f32(values_.data(), kept_.data, kept_.dtype, values_.size());
    for (std::int64_t i = 0; i < shape.elements(); ++i)
      values_[static_cast<std::size_t>(i)] *= kept_.tiles->at(i / shape[1], i % shape[1]);
  }
  TiledF8(TiledF8&&) = default;

  TensorView view(const Backend& backend) const {
    const std::int64_t tile_rows = static_cast<std::int64_t>(scales_.size()) / kept_.tiles->per_row;
    return backend.keeps_fp8(*kept_.tiles, tile_rows) ? kept_ : multiplied();
  }
  TensorView multiplied() const {
    return {reinterpret_cast<const std::byte*>(values_.data()), DType::kF32, kept_.shape};
  }

 private:
  TensorView kept_;
  std::vector<float> scales_, values_;
};

Op tiled_matmul_op(std::int64_t n, std::int64_t k) {
  return [=](Backend& b, std::span<const int> rows) {
    const TiledF8 source({n, k}, 6);
    const auto weight = b.prepare_matrix(source.view(b));
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, k}, pick_rows<float>(normal(kRows * k, 4), k, rows));
    const F32Tensor out(b, {count, n});
    const MatmulTarget target{weight.get(), out.tensor};
    b.matmul(x.tensor, {&target, 1});
    b.synchronize();
    return out.download();
  };
}

Op rms_norm_op(std::int64_t heads, std::int64_t width) {
  return [=](Backend& b, std::span<const int> rows) {
    const auto weight = b.prepare_vector(stored(DType::kF32, {width}, 21, 1.0f));
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, heads, width},
                      pick_rows<float>(normal(kRows * heads * width, 22), heads * width, rows));
    b.rms_norm(x.tensor, x.tensor, *weight, 1e-6f);
    b.synchronize();
    return x.download();
  };
}

Op rope_op(RopePairing pairing, std::int64_t heads, std::int64_t dim) {
  return [=](Backend& b, std::span<const int> rows) {
    std::vector<float> angles;
    for (int r = 0; r < kRows; ++r)
      for (std::int64_t i = 0; i < dim / 2; ++i) {
        const double a =
            r * std::pow(1e4, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
        angles.push_back(static_cast<float>(std::cos(a)));
        angles.push_back(static_cast<float>(std::sin(a)));
      }
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, heads, dim},
                      pick_rows<float>(normal(kRows * heads * dim, 31), heads * dim, rows));
    const F32Tensor table(b, {count, dim / 2, 2}, pick_rows<float>(angles, dim, rows));
    b.rope(x.tensor, table.tensor, pairing);
    b.synchronize();
    return x.download();
  };
}

Op embed_op(DType dtype, std::int64_t hidden) {
  return [=](Backend& b, std::span<const int> rows) {
    const auto table = b.prepare_embedding(stored(dtype, {100, hidden}, 41, 1.0f));
    std::vector<std::int32_t> ids;
    for (const int r : rows) ids.push_back((r * 37 + 11) % 100);
    const auto count = static_cast<std::int64_t>(rows.size());
    const I32Tensor tokens(b, {count}, ids);
    const F32Tensor out(b, {count, hidden});
    b.embed(out.tensor, *table, tokens.tensor);
    b.synchronize();
    return out.download();
  };
}

struct ExpertWeights {
  std::vector<TensorView> gate, up, down;

  ExpertWeights(DType up_type, DType down_type, std::int64_t n, std::int64_t hidden,
                std::int64_t width) {
    for (std::int64_t e = 0; e < n; ++e) {
      const auto seed = static_cast<std::uint32_t>(100 + 3 * e);
      gate.push_back(stored(up_type, {width, hidden}, seed, 0.1f));
      up.push_back(stored(up_type, {width, hidden}, seed + 1, 0.1f));
      down.push_back(stored(down_type, {hidden, width}, seed + 2, 0.1f));
    }
  }
  ExpertSources sources() const { return {gate, up, down}; }
};

constexpr std::int64_t kExperts = 7;

std::vector<float> run_experts(Backend& b, std::span<const int> rows, const Weight& experts,
                               std::int64_t hidden) {
  constexpr std::int64_t kTopK = 3;
  std::vector<std::int32_t> ids;
  for (int r = 0; r < kRows; ++r)  // expert 6 never, expert 0 by most
    for (const int e : {r % 5 == 0 ? 1 + r % 4 : 0, 5 - r % 2, 3 - r % 2}) ids.push_back(e % 6);
  for (std::size_t i = 0; i < ids.size(); i += 3)  // distinct within a row
    while (ids[i + 1] == ids[i] || ids[i + 2] == ids[i] || ids[i + 2] == ids[i + 1]) {
      ids[i + 1] = (ids[i] + 1) % 6;
      ids[i + 2] = (ids[i] + 2) % 6;
    }
  const auto count = static_cast<std::int64_t>(rows.size());
  const F32Tensor x(b, {count, hidden}, pick_rows<float>(normal(kRows * hidden, 51), hidden, rows));
  const F32Tensor out(b, {count, hidden},
                      pick_rows<float>(normal(kRows * hidden, 52, 0.1f), hidden, rows));
  const I32Tensor chosen(b, {count, kTopK}, pick_rows<std::int32_t>(ids, kTopK, rows));
  const F32Tensor weights(b, {count, kTopK},
                          pick_rows<float>(normal(kRows * kTopK, 53, 0.5f), kTopK, rows));
  b.experts(out.tensor, x.tensor, experts, chosen.tensor, weights.tensor);
  b.synchronize();
  return out.download();
}

Op experts_op(DType up_type, DType down_type, std::int64_t hidden, std::int64_t width) {
  return [=](Backend& b, std::span<const int> rows) {
    const ExpertWeights w(up_type, down_type, kExperts, hidden, width);
    return run_experts(b, rows, *b.prepare_experts(w.sources()), hidden);
  };
}

/// `mixed`: expert 3 comes with its scales multiplied out, as the loader does with unusual ones.
Op tiled_experts_op(std::int64_t hidden, std::int64_t width, bool mixed) {
  return [=](Backend& b, std::span<const int> rows) {
    std::vector<TiledF8> sources;
    std::vector<TensorView> parts[3];
    for (std::uint32_t e = 0; e < kExperts; ++e)
      for (std::uint32_t part = 0; part < 3; ++part)
        sources.emplace_back(part < 2 ? Shape{width, hidden} : Shape{hidden, width},
                             100 + 3 * e + part);
    for (std::size_t i = 0; i < sources.size(); ++i)
      parts[i % 3].push_back(mixed && i / 3 == 3 ? sources[i].multiplied() : sources[i].view(b));
    return run_experts(b, rows, *b.prepare_experts({parts[0], parts[1], parts[2]}), hidden);
  };
}

Op gated_mlp_op(DType dtype, std::int64_t hidden, std::int64_t width, bool accumulate, bool gated) {
  return [=](Backend& b, std::span<const int> rows) {
    const ExpertWeights w(dtype, dtype, 1, hidden, width);
    const auto expert = b.prepare_experts(w.sources());
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor x(b, {count, hidden},
                      pick_rows<float>(normal(kRows * hidden, 61), hidden, rows));
    const F32Tensor out(b, {count, hidden},
                        pick_rows<float>(normal(kRows * hidden, 62, 0.1f), hidden, rows));
    const F32Tensor logit(b, {count, 1}, pick_rows<float>(normal(kRows, 63), 1, rows));
    b.gated_mlp(out.tensor, x.tensor, *expert, accumulate, gated ? &logit.tensor : nullptr);
    b.synchronize();
    return out.download();
  };
}

Op route_op(const RouterOptions& options, bool bias) {
  return [=](Backend& b, std::span<const int> rows) {
    const std::int64_t n = options.n_experts, k = options.top_k;
    const auto selection = b.prepare_vector(stored(DType::kF32, {n}, 71, 0.3f));
    const auto count = static_cast<std::int64_t>(rows.size());
    std::vector<float> values = normal(kRows * n, 72);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) values[i] = 0.5f;  // ties
    const F32Tensor logits(b, {count, n}, pick_rows<float>(values, n, rows));
    const I32Tensor ids(b, {count, k},
                        std::vector<std::int32_t>(static_cast<std::size_t>(count * k)));
    const F32Tensor weights(b, {count, k});
    b.route(ids.tensor, weights.tensor, logits.tensor, bias ? selection.get() : nullptr, options,
            nullptr);
    b.synchronize();
    const std::vector<std::int32_t> chosen = ids.download();
    const std::vector<float> shares = weights.download();
    std::vector<float> result;
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t j = 0; j < k; ++j) {
        result.push_back(static_cast<float>(chosen[static_cast<std::size_t>(r * k + j)]));
        result.push_back(shares[static_cast<std::size_t>(r * k + j)]);
      }
    return result;
  };
}

/// Counts: a row's choices are what it adds to them. (They need I64, which no other op has.)
Op route_counts_op(const RouterOptions& options) {
  return [=](Backend& b, std::span<const int> rows) {
    const std::int64_t n = options.n_experts, k = options.top_k;
    std::vector<float> result;
    for (const int r : rows) {
      const int twice[] = {r, r};
      const F32Tensor logits(b, {2, n}, pick_rows<float>(normal(kRows * n, 73), n, twice));
      const I32Tensor ids(b, {2, k}, std::vector<std::int32_t>(static_cast<std::size_t>(2 * k)));
      const F32Tensor weights(b, {2, k});
      const auto memory = b.allocate(static_cast<std::size_t>(n) * sizeof(std::int64_t));
      const Tensor counts = Tensor::contiguous(memory->data(), DType::kI64, {n});
      for (int call = 0; call < 2; ++call)
        b.route(ids.tensor, weights.tensor, logits.tensor, nullptr, options, &counts);
      std::vector<std::int64_t> counted(static_cast<std::size_t>(n));
      b.download(counted.data(), memory->data(), memory->size_bytes());
      for (const std::int64_t c : counted) result.push_back(static_cast<float>(c));
    }
    return result;
  };
}

Op sample_op(std::int64_t vocab) {
  return [=](Backend& b, std::span<const int> rows) {
    const std::int64_t kVocab = vocab;
    const auto count = static_cast<std::int64_t>(rows.size());
    const F32Tensor logits(b, {count, kVocab},
                           pick_rows<float>(normal(kRows * kVocab, 81, 2.0f), kVocab, rows));
    std::vector<SampleRow> settings;
    for (const int r : rows)
      settings.push_back({r % 3 == 0 ? 0.0f : 0.7f, r % 4 == 0 ? 0.9f : 1.0f, r % 5 == 0 ? 40 : 0,
                          static_cast<float>(r) / kRows});
    const I32Tensor ids(b, {count}, std::vector<std::int32_t>(rows.size()));
    b.sample(ids.tensor, logits.tensor, settings);
    b.synchronize();
    std::vector<float> result;
    for (const std::int32_t id : ids.download()) result.push_back(static_cast<float>(id));
    return result;
  };
}

Op gather_op() {
  return [=](Backend& b, std::span<const int> rows) {
    constexpr std::int64_t kWidth = 37;
    const F32Tensor x(b, {kRows, kWidth}, normal(kRows * kWidth, 91));
    const I32Tensor ids(b, {static_cast<std::int64_t>(rows.size())},
                        std::vector<std::int32_t>(rows.begin(), rows.end()));
    const F32Tensor out(b, {static_cast<std::int64_t>(rows.size()), kWidth});
    b.gather_rows(out.tensor, x.tensor, ids.tensor);
    b.synchronize();
    return out.download();
  };
}

struct AttentionShape {
  std::int64_t heads, kv_heads, key_width, value_width;
  bool latent;
  DType cache;
  std::int64_t window;
  bool prefill;     // one sequence of which a run of rows is new, else one row of each sequence
  int stride = 3;   // decode: positions between the ends of neighbouring sequences
  int before = 40;  // prefill: positions before row 0
};

/// Decode: row r is the newest of its own sequence of 1 + stride r positions. Prefill: row r is
/// position before + r of one sequence; a batch computes each row in whatever company the named
/// rows make (as chunks: its neighbours are written by a call before it).
Op attention_op(const AttentionShape& s) {
  return [=](Backend& b, std::span<const int> rows) {
    constexpr std::int64_t kBlock = KvLayer::kBlockTokens;
    const std::int64_t longest = s.prefill ? s.before + kRows : 1 + s.stride * (kRows - 1);
    const std::int64_t blocks = (longest + kBlock - 1) / kBlock;
    const std::int64_t sequences = s.prefill ? 1 : static_cast<std::int64_t>(rows.size());
    const std::int64_t pages = sequences * blocks;
    const std::size_t element = s.cache == DType::kF16 ? 2 : 4;
    const auto cache_tensor = [&](const Buffer& buffer, std::int64_t width) {
      return Tensor::contiguous(buffer.data(), s.cache, {pages, kBlock, s.kv_heads, width});
    };
    const auto room = [&](std::int64_t width) {
      return static_cast<std::size_t>(pages * kBlock * s.kv_heads * width) * element;
    };
    const auto keys = b.allocate(room(s.key_width)), values = b.allocate(room(s.value_width));
    KvLayer layer{cache_tensor(*keys, s.key_width),
                  s.latent ? Tensor{} : cache_tensor(*values, s.value_width), s.value_width};

    // Pages are scattered: block i of sequence q lies in page (i * sequences + sequences - 1 - q).
    std::vector<std::int32_t> table;
    for (std::int64_t q = 0; q < sequences; ++q)
      for (std::int64_t i = 0; i < blocks; ++i)
        table.push_back(static_cast<std::int32_t>(i * sequences + sequences - 1 - q));
    const I32Tensor block_table(b, {sequences, blocks}, table);

    struct Step {
      std::vector<std::int32_t> begin, context, positions, owner;
      std::vector<int> stream;  // which row's random keys this token has
    };
    const auto run_step = [&](const Step& step, bool attend) {
      const auto n = static_cast<std::int64_t>(step.positions.size());
      const I32Tensor begin(b, {sequences + 1}, step.begin), context(b, {sequences}, step.context);
      const I32Tensor positions(b, {n}, step.positions), owner(b, {n}, step.owner);
      AttentionBatch batch;
      batch.n_sequences = sequences;
      batch.n_tokens = n;
      batch.max_context_tokens = longest;
      batch.query_begin = begin.tensor;
      batch.context_tokens = context.tensor;
      batch.block_table = block_table.tensor;
      batch.positions = positions.tensor;
      batch.sequence_of_row = owner.tensor;
      std::vector<float> k, v, q;
      for (std::size_t i = 0; i < step.positions.size(); ++i) {
        const auto seed = static_cast<std::uint32_t>(1000 * step.stream[i] + step.positions[i]);
        for (const float x : normal(s.kv_heads * s.key_width, 7000 + seed)) k.push_back(x);
        for (const float x : normal(s.kv_heads * s.value_width, 170000 + seed)) v.push_back(x);
        for (const float x : normal(s.heads * s.key_width, 370000 + seed)) q.push_back(x);
      }
      const F32Tensor key(b, {n, s.kv_heads, s.key_width}, k);
      const F32Tensor value(b, {n, s.kv_heads, s.value_width}, v);
      const F32Tensor query(b, {n, s.heads, s.key_width}, q);
      const F32Tensor out(b, {n, s.heads, s.value_width});
      b.cache_write(layer, key.tensor, s.latent ? Tensor{} : value.tensor, batch);
      if (attend)
        b.attention(out.tensor, query.tensor, layer, batch,
                    {1.0f / std::sqrt(static_cast<float>(s.key_width)), s.window});
      b.synchronize();
      return out.download();
    };

    if (!s.prefill) {
      Step past, now;
      past.begin.push_back(0);
      now.begin.push_back(0);
      for (std::int64_t q = 0; q < sequences; ++q) {
        const int row = rows[static_cast<std::size_t>(q)], last = s.stride * row;
        for (int p = 0; p < last; ++p) {
          past.positions.push_back(p);
          past.owner.push_back(static_cast<std::int32_t>(q));
          past.stream.push_back(row);
        }
        past.begin.push_back(static_cast<std::int32_t>(past.positions.size()));
        past.context.push_back(last);
        now.positions.push_back(last);
        now.owner.push_back(static_cast<std::int32_t>(q));
        now.stream.push_back(row);
        now.begin.push_back(static_cast<std::int32_t>(q + 1));
        now.context.push_back(last + 1);
      }
      if (!past.positions.empty()) run_step(past, false);
      return run_step(now, true);
    }

    // Prefill: neighbouring positions go together, as chunks of the sorted rows.
    std::vector<int> sorted(rows.begin(), rows.end());
    std::sort(sorted.begin(), sorted.end());
    const auto rows_from = [&](int first, int last) {
      Step step;
      for (int p = first; p < last; ++p) {
        step.positions.push_back(p);
        step.owner.push_back(0);
        step.stream.push_back(0);
      }
      step.begin = {0, static_cast<std::int32_t>(step.positions.size())};
      step.context = {last};
      return step;
    };
    std::vector<std::vector<float>> result(kRows);
    int written = 0;
    for (std::size_t i = 0; i < sorted.size();) {
      std::size_t j = i + 1;
      while (j < sorted.size() && sorted[j] == sorted[j - 1] + 1) ++j;
      const int first = s.before + sorted[i];
      const int last = s.before + sorted[j - 1] + 1;
      if (first > written) run_step(rows_from(written, first), false);
      const std::vector<float> out = run_step(rows_from(first, last), true);
      const auto width = static_cast<std::size_t>(s.heads * s.value_width);
      for (std::size_t r = i; r < j; ++r)
        result[static_cast<std::size_t>(sorted[r])].assign(
            out.begin() + static_cast<std::ptrdiff_t>((r - i) * width),
            out.begin() + static_cast<std::ptrdiff_t>((r - i + 1) * width));
      written = last;
      i = j;
    }
    std::vector<float> flat;
    for (const int r : rows) {
      const auto& row = result[static_cast<std::size_t>(r)];
      flat.insert(flat.end(), row.begin(), row.end());
    }
    return flat;
  };
}

}  // namespace

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](std::string name, Op op, double tolerance) {
    cases.push_back({std::move(name), std::move(op), tolerance});
  };
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
        DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const auto block = static_cast<std::int64_t>(traits(dtype).block_elements);
    const std::string type(name(dtype));
    for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{1, block * 3},
                               {19, block == 1 ? 77 : block},
                               {131, block == 256 ? 768 : 352}})
      add("matmul_" + type + "_" + shape_name(n, k), matmul_op(dtype, n, k, n != 1, n == 131),
          tolerance_for(dtype));
    const std::int64_t width = block == 256 ? 512 : 96, hidden = block == 256 ? 256 : 160;
    add("experts_" + type, experts_op(dtype, dtype, hidden, width), 2 * tolerance_for(dtype));
    add("gated_mlp_" + type, gated_mlp_op(dtype, hidden, width, block == 32, block == 256),
        2 * tolerance_for(dtype));
    add("embed_" + type, embed_op(dtype, block == 1 ? 77 : 256), 1e-6);
  }
  // Types that only files bring, and widths of which several parts of k are uneven.
  for (const DType dtype :
       {DType::kF8E4M3, DType::kMXFP4, DType::kQ2_K, DType::kQ3_K, DType::kIQ4_XS}) {
    const std::int64_t k = is_quantized(dtype) ? 512 : 300;
    add("matmul_" + std::string(name(dtype)), matmul_op(dtype, 37, k, true, true), 2e-2);
    add("experts_" + std::string(name(dtype)), experts_op(dtype, dtype, 256, 256), 4e-2);
    add("gated_mlp_" + std::string(name(dtype)), gated_mlp_op(dtype, 256, 256, true, true), 4e-2);
    add("embed_" + std::string(name(dtype)), embed_op(dtype, 256), 1e-6);
  }
  add("matmul_f8_tiles", tiled_matmul_op(37, 300), 2e-3);
  add("experts_f8_tiles", tiled_experts_op(140, 270, false), 4e-3);
  add("experts_f8_tiles_mixed", tiled_experts_op(140, 270, true), 4e-3);
  add("matmul_bf16_deep", matmul_op(DType::kBF16, 21, 1408, false, false), 2e-5);
  add("matmul_q8_0_deep", matmul_op(DType::kQ8_0, 21, 1440, false, false), 2e-2);
  add("experts_f32_odd", experts_op(DType::kF32, DType::kF32, 45, 37), 1e-4);
  add("experts_q4_k_down_q5_0", experts_op(DType::kQ4_K, DType::kQ5_0, 256, 352), 4e-2);
  add("experts_q8_0_down_q6_k", experts_op(DType::kQ8_0, DType::kQ6_K, 160, 256), 4e-2);
  add("head_matmul_f32", head_matmul_op(DType::kF32, 3, 21, 13), 2e-5);
  add("head_matmul_f16", head_matmul_op(DType::kF16, 5, 40, 64), 2e-5);
  add("head_matmul_q8_0", head_matmul_op(DType::kQ8_0, 5, 40, 64), 2e-2);
  add("head_matmul_q8_0_odd", head_matmul_op(DType::kQ8_0, 3, 21, 40), 2e-2);
  add("rms_norm_77", rms_norm_op(1, 77), 1e-5);
  add("rms_norm_1", rms_norm_op(1, 1), 1e-5);
  add("rms_norm_2049", rms_norm_op(1, 2049), 1e-5);
  add("rms_norm_heads", rms_norm_op(5, 64), 1e-5);
  add("rope_halves", rope_op(RopePairing::kHalves, 3, 16), 1e-6);
  add("rope_interleaved", rope_op(RopePairing::kInterleaved, 2, 10), 1e-6);
  add("gather_rows", gather_op(), 0.0);
  add("sample", sample_op(501), 0.0);
  add("sample_1", sample_op(1), 0.0);
  add("sample_4099", sample_op(4099), 0.0);
  RouterOptions softmax{RouterScoring::kSoftmax, 12, 3, 1, 1, RouterGroupScore::kMax, false, 1.5f};
  RouterOptions grouped{RouterScoring::kSigmoid,    16,   4,   4, 2,
                        RouterGroupScore::kTop2Sum, true, 2.5f};
  add("route_softmax", route_op(softmax, false), 1e-6);
  add("route_grouped_sigmoid_bias", route_op(grouped, true), 1e-6);
  // DeepSeek-V2's and V3's own sizes, and one that no warp divides.
  RouterOptions v2{RouterScoring::kSoftmax, 160, 6, 8, 3, RouterGroupScore::kMax, false, 16.0f};
  RouterOptions v3{RouterScoring::kSigmoid, 256, 8, 8, 4, RouterGroupScore::kTop2Sum, true, 2.5f};
  RouterOptions odd{RouterScoring::kSoftmax, 61, 5, 1, 1, RouterGroupScore::kMax, true, 1.0f};
  RouterOptions all{RouterScoring::kSoftmax, 5, 5, 1, 1, RouterGroupScore::kMax, true, 1.0f};
  add("route_v2", route_op(v2, false), 1e-6);
  add("route_v3", route_op(v3, true), 1e-6);
  add("route_v3_no_bias", route_op(v3, false), 1e-6);
  add("route_odd", route_op(odd, true), 1e-6);
  add("route_all", route_op(all, false), 1e-6);
  add("route_counts", route_counts_op(v3), 0.0);
  for (const DType cache : {DType::kF16, DType::kF32})
    for (const bool prefill : {false, true}) {
      const std::string suffix =
          std::string("_") + std::string(name(cache)) + (prefill ? "_prefill" : "_decode");
      add("attention_mla" + suffix, attention_op({6, 1, 72, 64, true, cache, 0, prefill}), 1e-4);
      add("attention_mha" + suffix, attention_op({3, 3, 40, 24, false, cache, 0, prefill}), 1e-4);
      add("attention_gqa_window" + suffix, attention_op({10, 2, 21, 19, false, cache, 33, prefill}),
          1e-4);
    }
  // Contexts beyond what one pass of a kernel covers, and the widths of DeepSeek's latent heads.
  for (const DType cache : {DType::kF16, DType::kF32}) {
    const std::string suffix = "_" + std::string(name(cache));
    AttentionShape far{4, 2, 16, 16, false, cache, 0, false, 11, 0};
    add("attention_far_decode" + suffix, attention_op(far), 1e-4);
    far.window = 70;
    add("attention_far_decode_window" + suffix, attention_op(far), 1e-4);
    far.prefill = true;
    far.before = 480;
    add("attention_far_prefill_window" + suffix, attention_op(far), 1e-4);
    far.window = 0;
    add("attention_far_prefill" + suffix, attention_op(far), 1e-4);
    add("attention_mla_wide" + suffix, attention_op({20, 1, 576, 512, true, cache, 0, false, 1, 0}),
        1e-4);
  }
  return cases;
}

}  // namespace moebench::conformance
