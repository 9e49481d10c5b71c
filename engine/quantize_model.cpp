#include "engine/base/error.h"
#include "engine/canary/embedded.h"
#include "engine/engine.h"
#include "engine/formats/gguf.h"
#include "engine/formats/gguf_writer.h"
#include "engine/model/gguf_export.h"
#include "engine/model/summary.h"
#include "engine/model/weight_source.h"
#include "engine/tensor/convert.h"
#include "engine/tokenizer_source.h"

namespace moebench {
namespace {

/// general.file_type as GGUF numbers it; what llama.cpp shows as the file's type.
std::uint32_t file_type_of(DType type) {
  switch (type) {
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ4_1:
      return 3;
    case DType::kQ8_0:
      return 7;
    case DType::kQ5_0:
      return 8;
    case DType::kQ5_1:
      return 9;
    case DType::kQ4_K:
      return 14;  // "small": one type for all matrices
    case DType::kQ5_K:
      return 16;
    case DType::kQ6_K:
      return 18;
    case DType::kBF16:
      return 32;
    default:
      return 0;
  }
}

DType type_named(const std::string& type) {
  const std::optional<DType> dtype = parse_dtype(type);
  if (!dtype || !can_convert_from_f32(*dtype)) {
    throw Error(ErrorCode::kUsage, "cannot quantise to \"" + type + "\"",
                "choose f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k");
  }
  return *dtype;
}

/// Matrices only; routers and gates are small and decide much.
bool is_converted(const std::string& name, const TensorView& view) {
  return view.shape.rank() > 1 && name.ends_with(".weight") &&
         name.find("ffn_gate_inp") == std::string::npos && can_convert_to_f32(view.dtype);
}

/// `type`, or the best that rows of this length allow.
DType type_for(const TensorView& view, DType type) {
  const auto columns = static_cast<std::size_t>(view.shape.back());
  for (const DType candidate : {type, DType::kQ8_0}) {
    if (columns % traits(candidate).block_elements == 0) return candidate;
  }
  return view.dtype;
}

/// Keys that describe the old file, not the model.
bool is_replaced(const std::string& key) {
  return key == "general.file_type" || key == "general.quantization_version" ||
         key == "general.alignment" || key.starts_with("split.");
}

void add_file_keys(GgufWriter& writer, DType dtype) {
  writer.add_u32("general.file_type", file_type_of(dtype));
  writer.add_u32("general.quantization_version", 2);
}

/// From a GGUF file: its keys as they are, its matrices in the type.
QuantizeResult requantize(const ModelSource& source, const std::string& output, DType dtype) {
  const ModelFiles& files = *source.files;
  const GgufModel gguf = open_gguf(source.files);
  QuantizeResult result;
  GgufWriter writer(output);
  for (const GgufRawValue& value : gguf.raw_metadata) {
    if (!is_replaced(value.key)) writer.add_raw(value.key, value.type_and_value);
  }
  add_file_keys(writer, dtype);

  struct Plan {
    const TensorView* view;
    DType to;
  };
  std::vector<Plan> plans;
  std::int64_t substituted = 0;
  for (const auto& [name, tensor] : gguf.checkpoint.tensors()) {
    DType to = tensor.view.dtype;
    if (is_converted(name, tensor.view)) {
      to = type_for(tensor.view, dtype);
      if (to != dtype) ++substituted;
    }
    writer.add_tensor(name, to, tensor.view.shape);
    plans.push_back({&tensor.view, to});
  }
  for (const Plan& plan : plans) {
    const auto before = static_cast<std::int64_t>(plan.view->size_bytes());
    const TensorView after{nullptr, plan.to, plan.view->shape};
    result.bytes_before += before;
    result.bytes_after += static_cast<std::int64_t>(after.size_bytes());
    ++result.tensors;
    const std::span<const std::byte> stored(plan.view->data, plan.view->size_bytes());
    if (plan.to == plan.view->dtype) {
      writer.write(stored);
    } else {
      ++result.converted;
      writer.write({convert_rows(*plan.view, plan.to).get(), after.size_bytes()});
    }
    files.release_pages(stored);
  }
  writer.finish();
  if (substituted > 0) {
    result.notes.push_back(std::to_string(substituted) +
                           " matrices have rows that fill no blocks "
                           "of " +
                           std::string(name(dtype)) + "; they are q8_0 or as before");
  }
  return result;
}

/// From a Hugging Face model: everything in GGUF's words.
QuantizeResult export_to_gguf(const ModelSource& source, const std::string& model_name,
                              const std::string& output, DType dtype) {
  QuantizeResult result;
  GgufExport model(source, dtype);
  result.notes = source.config.notes;
  result.notes.insert(result.notes.end(), model.notes().begin(), model.notes().end());
  std::optional<GgufTokenizerExport> tokenizer;
  if (const std::optional<Tokenizer> original = tokenizer_of(source)) {
    tokenizer = original->to_gguf(static_cast<std::int32_t>(source.config.vocab));
    result.notes.insert(result.notes.end(), tokenizer->notes.begin(), tokenizer->notes.end());
  } else {
    result.notes.push_back("the model has no tokenizer.json, and so the GGUF no tokenizer");
  }

  GgufWriter writer(output);
  model.add_keys(writer);
  writer.add_string("general.type", "model");
  writer.add_string("general.name", model_name);
  add_file_keys(writer, dtype);
  if (tokenizer) {
    add_tokenizer_keys(writer, tokenizer->data);
  } else {
    add_no_tokenizer_keys(writer);
  }
  model.add_tensors(writer);
  model.write_tensors(writer);
  writer.finish();
  result.bytes_before = model.bytes_before();
  result.bytes_after = model.bytes_after();
  result.tensors = model.tensors();
  result.converted = model.converted();
  return result;
}

}  // namespace

QuantizeResult quantize_model(const std::string& model, const std::string& output,
                              const std::string& type) {
  const DType dtype = type_named(type);
  const bool canary = model == "canary";
  const std::shared_ptr<const ModelFiles> files =
      canary ? embedded_canary() : ModelFiles::open(model);
  for (const ModelFiles::File& file : files->files()) {
    std::error_code ignored;
    if (!canary && std::filesystem::equivalent(files->path_of(file.name), output, ignored)) {
      throw Error(ErrorCode::kUsage, output + ": is the input itself", "name another output");
    }
  }
  const ModelSource source = open_model(files);
  if (source.gguf) {
    summarize_weights(source);  // an incomplete model is an error before hours of work
    return requantize(source, output, dtype);
  }
  const std::filesystem::path path = std::filesystem::path(model).lexically_normal();
  const std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
  return export_to_gguf(source, name, output, dtype);
}

}  // namespace moebench
