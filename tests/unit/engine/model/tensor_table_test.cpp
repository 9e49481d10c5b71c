#include "engine/model/tensor_table.h"

#include <gtest/gtest.h>

namespace moebench {
namespace {

TEST(RoutedExperts, AreKnownByTheirNames) {
  for (const char* name :
       {"model.layers.3.mlp.experts.17.up_proj.weight", "model.layers.3.mlp.experts.down_proj",
        "model.layers.0.block_sparse_moe.experts.1.w2.weight", "blk.4.ffn_gate_exps.weight",
        "blk.4.ffn_up.12.weight", "model.layers.3.mlp.experts.17.up_proj.weight_scale_inv"})
    EXPECT_TRUE(is_routed_expert(name)) << name;
  for (const char* name :
       {"model.layers.3.mlp.shared_experts.up_proj.weight", "blk.4.ffn_up.weight",
        "blk.4.ffn_up_shexp.weight", "blk.12.ffn_norm.weight", "model.layers.3.mlp.gate.weight"})
    EXPECT_FALSE(is_routed_expert(name)) << name;
}

}  // namespace
}  // namespace moebench
